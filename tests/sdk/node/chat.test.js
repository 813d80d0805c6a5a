// The official SDK for Node against the running gateway: what a JavaScript program gets, and what it is billed.
// `tests/stack.py -- node --test` starts the stack, says where it is, and verifies the books afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { charges, nanos, newAccount } from "./customer.js";

const { TOLLGATE_URL } = process.env;
const MESSAGES = [{ role: "user", content: "hello" }];

/** Administration: gives `data` and the whole body; amounts stay as text in `raw`. */
/** A new account with credit, a key, and the SDK's client for it. */
async function customer(amount) {
  const { id, key } = await newAccount("node", amount);
  const client = new OpenAI({ apiKey: key, baseURL: `${TOLLGATE_URL}/api/v1`, maxRetries: 0, timeout: 30_000 });
  return { id, key, client };
}

test("an answer says what it cost", async () => {
  const someone = await customer();
  const answer = await someone.client.chat.completions.create({ model: "mock/chat", messages: MESSAGES });
  assert.match(answer.choices[0].message.content, /^lorem/);
  assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens], [10, 15]);
  assert.ok(answer.usage.cost > 0);
  assert.deepEqual(await charges(someone), { [answer.id]: nanos(answer.usage.cost) });
  const { data: generation } = await someone.client.get("/generation", { query: { id: answer.id } });
  assert.equal(nanos(generation.total_cost), nanos(answer.usage.cost));
});

test("a stream ends with usage and cost", async () => {
  const someone = await customer();
  const chunks = [];
  for await (const chunk of await someone.client.chat.completions.create({ model: "mock/chat", messages: MESSAGES, stream: true })) {
    chunks.push(chunk);
  }
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  assert.match(text, /^lorem ipsum/);
  const last = chunks.at(-1);
  assert.equal(last.usage.completion_tokens, 15);
  assert.deepEqual(await charges(someone), { [last.id]: nanos(last.usage.cost) });
});

test("the stream helper puts the answer together", async () => {
  const someone = await customer();
  const runner = someone.client.chat.completions.stream({ model: "mock/chat", messages: MESSAGES });
  const final = await runner.finalChatCompletion();
  assert.match(final.choices[0].message.content, /^lorem ipsum/);
  assert.equal(final.choices[0].finish_reason, "stop");
});

test("tools, whole and streamed", async () => {
  const someone = await customer();
  const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: {} } } }];
  const whole = await someone.client.chat.completions.create({ model: "mock/tools", messages: MESSAGES, tools });
  const call = whole.choices[0].message.tool_calls[0].function;
  assert.equal(JSON.parse(call.arguments).city, "Paris");
  const streamed = await someone.client.chat.completions.stream({ model: "mock/tools", messages: MESSAGES, tools }).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.tool_calls[0].function.arguments, call.arguments);
  assert.equal(streamed.choices[0].finish_reason, "tool_calls");
});

test("structured output", async () => {
  const someone = await customer();
  const person = z.object({ name: z.string(), age: z.number() });
  const answer = await someone.client.chat.completions.parse({
    model: "mock/person",
    messages: MESSAGES,
    response_format: zodResponseFormat(person, "person"),
  });
  assert.deepEqual(answer.choices[0].message.parsed, { name: "Ada", age: 36 });
});

test("errors by class", async (context) => {
  const someone = await customer();
  const ask = (client, model) => client.chat.completions.create({ model, messages: MESSAGES });
  const cases = [
    ["a wrong key", new OpenAI({ apiKey: "sk-tg-v1-" + "0".repeat(64), baseURL: `${TOLLGATE_URL}/api/v1`, maxRetries: 0 }), "mock/chat", OpenAI.AuthenticationError, 401],
    ["no credit", (await customer("0.000000001")).client, "mock/chat", OpenAI.APIError, 402],
    ["an unknown model", someone.client, "nobody/nothing", OpenAI.BadRequestError, 400],
    ["an upstream that limits", someone.client, "mock/limited", OpenAI.RateLimitError, 429],
    ["an upstream that breaks", someone.client, "mock/broken", OpenAI.InternalServerError, undefined],
  ];
  for (const [name, client, model, kind, status] of cases) {
    await context.test(name, async () => {
      const error = await ask(client, model).then(
        () => assert.fail("it was answered"),
        (error) => error,
      );
      assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
      if (status) assert.equal(error.status, status);
      assert.equal(typeof error.error.metadata.error_type, "string");
    });
  }
  await context.test("an unknown address", async () => {
    await assert.rejects(someone.client.get("/no/such/place"), OpenAI.NotFoundError);
  });
  assert.deepEqual(await charges(someone), {});
});

test("a client that gives up waiting is billed for the answer", async () => {
  const someone = await customer();
  const patient = someone.client.withOptions({ timeout: 500 });
  await assert.rejects(patient.chat.completions.create({ model: "mock/slow", messages: MESSAGES }), OpenAI.APIConnectionTimeoutError);
  assert.equal(Object.keys(await charges(someone)).length, 1);
});

test("a client that leaves a stream pays for what came, and no more", async () => {
  const someone = await customer();
  const stream = await someone.client.chat.completions.create({ model: "mock/trickle", messages: MESSAGES, stream: true });
  let seen = 0;
  let id;
  for await (const chunk of stream) {
    id = chunk.id;
    if (chunk.choices[0]?.delta.content) seen += 1;
    if (seen >= 10) break;
  }
  const charged = await charges(someone);
  assert.deepEqual(Object.keys(charged), [id]);
  const { data: generation } = await someone.client.get("/generation", { query: { id } });
  assert.equal(nanos(generation.total_cost), charged[id]);
  assert.ok(generation.native_tokens_completion >= seen && generation.native_tokens_completion < 400, JSON.stringify(generation));
});

test("a stream that breaks is an error, never a clean end", async () => {
  const someone = await customer();
  const messages = [{ role: "user", content: "mock:chunks=20&delay_ms=2&cut=close&cut_after=7" }];
  const stream = await someone.client.chat.completions.create({ model: "mock/any", messages, stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.ok(chunk.id);
  }, OpenAI.APIError);
  assert.equal(Object.keys(await charges(someone)).length, 1);
});
