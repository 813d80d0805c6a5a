// Legacy completions with OpenAI's SDK for Node: a text, its stream, a refusal.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { newAccount } from "./customer.js";

const { TOLLGATE_URL } = process.env;
const PROMPT = "mock:chunks=12";

test("a completion and its stream say the same and cost the same; mistakes are named", async () => {
  const { key } = await newAccount("node-completions");
  const client = new OpenAI({ apiKey: key, baseURL: `${TOLLGATE_URL}/v1`, maxRetries: 0, timeout: 30_000 });
  const whole = await client.completions.create({ model: "mock/any", prompt: PROMPT });
  assert.equal(whole.object, "text_completion");
  let text = "";
  let usage;
  for await (const chunk of await client.completions.create({ model: "mock/any", prompt: PROMPT, stream: true })) {
    text += chunk.choices[0]?.text ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].text);
  assert.equal(usage.cost, whole.usage.cost);
  await assert.rejects(client.completions.create({ model: "mock/any", prompt: PROMPT, echo: true }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "echo");
    return true;
  });
});
