// Embeddings with the official SDKs for Node. OpenAI's asks for base64 unless told otherwise, and takes nothing else then.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenRouter } from "@openrouter/sdk";
import OpenAI from "openai";

import { charges, nanos, newAccount } from "./customer.js";

const { TOLLGATE_URL } = process.env;
const TEXTS = ["one", "two"];

/** A new account with credit, and the clients of its key. */
async function customer() {
  const { id, key } = await newAccount("node-embeddings");
  const client = new OpenAI({ apiKey: key, baseURL: `${TOLLGATE_URL}/api/v1`, maxRetries: 0, timeout: 30_000 });
  const openrouter = new OpenRouter({ apiKey: key, serverURL: `${TOLLGATE_URL}/api/v1`, retryConfig: { strategy: "none" }, timeoutMs: 30_000 });
  return { id, client, openrouter };
}

const floats = (vector) => Array.from(vector);

test("an answer says what it cost, and its vectors are the ones that were made", async () => {
  const someone = await customer();
  for (const model of ["mock/embed", "mock/embed-floats"]) {
    const answer = await someone.client.embeddings.create({ model, input: TEXTS });
    const plain = await someone.client.embeddings.create({ model, input: TEXTS, encoding_format: "float" });
    assert.deepEqual(answer.data.map((each) => floats(each.embedding)), [[0, -0.3125, -0.125, 0.0625], [1, 0.125, 0.3125, -0.5]]);
    assert.deepEqual(plain.data.map((each) => each.embedding), answer.data.map((each) => floats(each.embedding)));
    assert.deepEqual([answer.usage.prompt_tokens, answer.usage.total_tokens], [1237, 1237]);
    assert.equal(nanos(answer.usage.cost), 152_716);
    const charged = await charges(someone);
    assert.equal(charged[answer.id], 152_716);
  }
});

test("tokens and fewer dimensions", async () => {
  const { client } = await customer();
  const answer = await client.embeddings.create({ model: "demo/embed", input: [[9906, 1917], [7]], dimensions: 8 });
  assert.deepEqual([answer.usage.prompt_tokens, answer.data.length], [3, 2]);
  const length = Math.hypot(...floats(answer.data[0].embedding));
  assert.ok(Math.abs(length - 1) < 1e-5 && answer.data[0].embedding.length === 8);
});

test("mistakes are told by their field", async () => {
  const someone = await customer();
  const refused = async (body, param) =>
    assert.rejects(someone.client.embeddings.create(body), (error) => error instanceof OpenAI.BadRequestError && error.param === param);
  await refused({ model: "mock/embed", input: "" }, "input");
  await refused({ model: "mock/embed", input: "x", dimensions: 0 }, "dimensions");
  await refused({ model: "mock/chat", input: "x" }, "model");
  await assert.rejects(someone.client.embeddings.create({ model: "mock/embed-limited", input: "x" }), OpenAI.RateLimitError);
  assert.deepEqual(await charges(someone), {});
});

test("OpenRouter's SDK takes the answer and the list of models", async () => {
  const someone = await customer();
  const answer = await someone.openrouter.embeddings.generate({
    requestBody: {
      model: "mock/embed",
      input: [{ content: [{ type: "text", text: "a cat" }, { type: "image_url", imageUrl: { url: "data:image/png;base64,QUJD" } }] }],
      encodingFormat: "float",
      provider: { sort: "price" },
    },
  });
  assert.deepEqual(answer.data[0].embedding, [0, -0.3125, -0.125, 0.0625]);
  assert.deepEqual([answer.model, answer.usage.promptTokens, nanos(answer.usage.cost)], ["mock/embed", 1237, 152_716]);
  assert.deepEqual(await charges(someone), { [answer.id]: 152_716 });
  const { result: models } = await someone.openrouter.embeddings.listModels({});
  const model = models.data.find((each) => each.id === "mock/embed");
  assert.deepEqual(model.architecture.outputModalities, ["embeddings"]);
  assert.ok(!models.data.some((each) => each.id === "mock/chat"));
});
