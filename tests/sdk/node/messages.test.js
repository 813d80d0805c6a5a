// Anthropic's SDK for Node against the running gateway, for an upstream of either dialect.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import { newAccount } from "./customer.js";

const { TOLLGATE_URL } = process.env;
const FAMILIES = ["claude", "mock"];
const ASK = { max_tokens: 200, messages: [{ role: "user", content: "hello" }] };

/** The SDK's client of a new account with credit. */
async function customer(amount) {
  const { key } = await newAccount("node-anthropic", amount);
  return new Anthropic({ apiKey: key, baseURL: `${TOLLGATE_URL}/api`, maxRetries: 0, timeout: 30_000 });
}

for (const family of FAMILIES) {
  test(`${family}: a message and a stream say the same and cost the same`, async () => {
    const client = await customer();
    const whole = await client.messages.create({ model: `${family}/chat`, ...ASK });
    const streamed = await client.messages.stream({ model: `${family}/chat`, ...ASK }).finalMessage();
    for (const message of [whole, streamed]) {
      assert.deepEqual(message.content.map((block) => block.type), ["thinking", "text"]);
      assert.match(message.content[1].text, /^lorem/);
      assert.deepEqual([message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens], [6, 4, 15]);
    }
    assert.ok(whole.usage.cost > 0);
    assert.equal(streamed.usage.cost ?? whole.usage.cost, whole.usage.cost);
  });

  test(`${family}: tools, streamed`, async () => {
    const client = await customer();
    const tools = [{ name: "get_weather", input_schema: { type: "object", properties: {} } }];
    const message = await client.messages.stream({ model: `${family}/tools`, ...ASK, tools }).finalMessage();
    assert.equal(message.stop_reason, "tool_use");
    assert.deepEqual(message.content[0].input, { city: "Paris", unit: "celsius" });
  });
}

test("errors by class", async () => {
  const client = await customer();
  const ask = (model) => client.messages.create({ model, ...ASK });
  await assert.rejects(ask("nobody/nothing"), Anthropic.BadRequestError);
  await assert.rejects(ask("claude/limited"), Anthropic.RateLimitError);
  await assert.rejects(ask("claude/overloaded"), Anthropic.InternalServerError);
  const stranger = new Anthropic({ apiKey: "sk-tg-v1-" + "0".repeat(64), baseURL: TOLLGATE_URL, maxRetries: 0 });
  await assert.rejects(stranger.messages.create({ model: "claude/any", ...ASK }), Anthropic.AuthenticationError);
});

test("tokens are counted", async () => {
  const client = await customer();
  const { input_tokens } = await client.messages.countTokens({ model: "claude/any", messages: ASK.messages });
  assert.ok(input_tokens > 0 && input_tokens < 20, String(input_tokens));
});
