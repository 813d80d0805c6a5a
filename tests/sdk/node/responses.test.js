// The official SDK for Node by its Responses API, for an upstream of either dialect.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenRouter } from "@openrouter/sdk";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import { newAccount } from "./customer.js";

const { TOLLGATE_URL } = process.env;
const FAMILIES = ["claude", "mock"];
const TOOLS = [{ type: "function", name: "get_weather", parameters: { type: "object", properties: {} }, strict: false }];

/** The key of a new account with credit. */
const newKey = async (amount) => (await newAccount("node-responses", amount)).key;

const clientOf = (apiKey) => new OpenAI({ apiKey, baseURL: `${TOLLGATE_URL}/v1`, maxRetries: 0, timeout: 30_000 });
const customer = async (amount) => clientOf(await newKey(amount));

for (const family of FAMILIES) {
  test(`${family}: a response and a stream say the same and cost the same as chat`, async () => {
    const client = await customer();
    const model = `${family}/any`;
    const input = "mock:chunks=12&cached_tokens=4&reasoning=3&reasoning_tokens=0";
    const whole = await client.responses.create({ model, input });
    const streamed = await client.responses.stream({ model, input }).finalResponse();
    const chat = await client.chat.completions.create({ model, messages: [{ role: "user", content: input }] });
    for (const response of [whole, streamed]) {
      assert.equal(response.status, "completed");
      assert.deepEqual(response.output.map((item) => item.type), ["reasoning", "message"]);
      assert.match(response.output_text, /^lorem/);
      assert.ok(response.usage.cost > 0);
      assert.equal(response.usage.cost, chat.usage.cost);
    }
    assert.equal(streamed.output_text, whole.output_text);
    assert.deepEqual(streamed.output[0].content, whole.output[0].content);
    assert.deepEqual(streamed.usage, whole.usage);
  });

  test(`${family}: tools, parallel, streamed and back`, async () => {
    const client = await customer();
    const model = `${family}/any`;
    const response = await client.responses.stream({ model, input: "mock:tools=2", tools: TOOLS }).finalResponse();
    const calls = response.output.filter((item) => item.type === "function_call");
    assert.equal(new Set(calls.map((call) => call.call_id)).size, 2);
    for (const call of calls) assert.deepEqual(JSON.parse(call.arguments), { city: "Paris", unit: "celsius" });
    const outputs = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "sunny" }));
    const input = [{ role: "user", content: "hello" }, ...response.output, ...outputs];
    assert.match((await client.responses.create({ model, input, tools: TOOLS })).output_text, /^lorem/);
  });

  test(`${family}: what a model thought goes back to it`, async () => {
    const client = await customer();
    const first = await client.responses.create({ model: `${family}/chat`, input: "hello", include: ["reasoning.encrypted_content"] });
    const echo = { role: "user", content: "mock:echo=body&chunk_bytes=8192&honour_max_tokens=0" };
    const input = [{ role: "user", content: "hello" }, ...first.output, echo];
    const seen = (await client.responses.create({ model: `${family}/any`, input })).output_text;
    assert.ok(seen.includes(first.output[0].content[0].text), seen);
  });
}

test("structured output", async () => {
  const client = await customer();
  const format = zodTextFormat(z.object({ name: z.string(), age: z.number() }), "person");
  const response = await client.responses.parse({ model: "mock/person", input: "hello", text: { format } });
  assert.deepEqual(response.output_parsed, { name: "Ada", age: 36 });
});

test("an answer that reached its cap is incomplete", async () => {
  const client = await customer();
  for (const family of FAMILIES) {
    const ask = { model: `${family}/any`, input: "mock:chunks=40", max_output_tokens: 5 };
    for (const response of [await client.responses.create(ask), await client.responses.stream(ask).finalResponse()]) {
      assert.equal(response.status, "incomplete");
      assert.equal(response.incomplete_details.reason, "max_output_tokens");
    }
  }
});

test("errors by class", async () => {
  const client = await customer();
  const ask = (more) => client.responses.create({ model: "mock/any", input: "hello", ...more });
  await assert.rejects(ask({ model: "nobody/nothing" }), OpenAI.BadRequestError);
  await assert.rejects(ask({ model: "mock/limited" }), OpenAI.RateLimitError);
  await assert.rejects(ask({ model: "mock/broken" }), OpenAI.InternalServerError);
  await assert.rejects(ask({ previous_response_id: "resp_1" }), (error) => error instanceof OpenAI.BadRequestError && error.param === "previous_response_id");
  await assert.rejects(clientOf(`sk-tg-v1-${"0".repeat(64)}`).responses.create({ model: "mock/any", input: "hello" }), OpenAI.AuthenticationError);
  const poor = await customer("0.000000001");
  await assert.rejects(poor.responses.create({ model: "mock/any", input: "hello" }), (error) => error.status === 402);
});

test("a stream that breaks is an error, never a clean end", async () => {
  const client = await customer();
  const ask = { model: "mock/any", input: "mock:chunks=20&delay_ms=2&cut=close&cut_after=7" };
  await assert.rejects(client.responses.stream(ask).finalResponse(), OpenAI.APIError);
});

test("OpenRouter's own SDK reads a response and a stream", async () => {
  const sdk = new OpenRouter({ apiKey: await newKey(), serverURL: `${TOLLGATE_URL}/api/v1`, retryConfig: { strategy: "none" }, timeoutMs: 30_000 });
  const ask = (more) => sdk.beta.responses.send({ responsesRequest: { model: "mock/chat", input: "hello", ...more } });
  const whole = await ask({ tools: TOOLS });
  assert.equal(whole.status, "completed");
  assert.ok(whole.usage.cost > 0);
  const kinds = [];
  for await (const event of await ask({ stream: true })) kinds.push(event.type);
  assert.deepEqual([kinds[0], kinds.at(-1)], ["response.created", "response.completed"]);
});
