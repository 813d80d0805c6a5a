// Legacy completions with OpenAI's SDK for Node: a text, its stream, a refusal.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const { TOLLGATE_URL, TOLLGATE_MANAGEMENT_KEY } = process.env;
const PROMPT = "mock:chunks=12";

async function admin(path, body) {
  const headers = { authorization: `Bearer ${TOLLGATE_MANAGEMENT_KEY}`, "content-type": "application/json" };
  const answer = await fetch(TOLLGATE_URL + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

test("a completion and its stream say the same and cost the same; mistakes are named", async () => {
  const { data: account } = await admin("/api/v1/admin/accounts", { name: "node-completions" });
  const credit = { amount: "1", reason: "test", idempotency_key: `first-${account.id}` };
  await admin(`/api/v1/admin/accounts/${account.id}/credits`, credit);
  const { key } = await admin("/api/v1/keys", { name: "node-completions", account_id: account.id });
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
