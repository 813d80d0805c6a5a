// OpenRouter's own SDK against the running gateway: its schemas are strict about what an answer must have.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenRouter } from "@openrouter/sdk";

import { newAccount } from "./customer.js";

const { TOLLGATE_URL, TOLLGATE_MANAGEMENT_KEY } = process.env;
const BOUNDS = { retryConfig: { strategy: "none" }, timeoutMs: 30_000 };
const SETTLE_MS = 20_000;

const client = (apiKey) => new OpenRouter({ apiKey, serverURL: `${TOLLGATE_URL}/api/v1`, ...BOUNDS });
const management = client(TOLLGATE_MANAGEMENT_KEY);

/** A new account with credit, and the SDK's client of its key. */
async function customer() {
  const { id, key, hash } = await newAccount("node-openrouter");
  return { sdk: client(key), hash, account: id };
}

const ask = (sdk, model, more = {}) =>
  sdk.chat.send({ chatRequest: { model, messages: [{ role: "user", content: "hello" }], ...more } });

/** Until a condition holds, within a bound. */
async function until(what, condition) {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `not within ${SETTLE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("the catalog", async () => {
  const { sdk } = await customer();
  const { result: models } = await sdk.models.list({});
  assert.ok(models.data.some((model) => model.id === "mock/chat"));
  assert.equal((await sdk.models.count({})).data.count, models.data.length);
  const { result: own } = await sdk.models.listForUser({ bearer: sdk._options.apiKey }, {});
  assert.ok(own.data.length > 0);
  const { data: model } = await sdk.models.get({ author: "mock", slug: "chat" });
  assert.equal(model.id, "mock/chat");
  const { data: endpoints } = await sdk.endpoints.list({ author: "mock", slug: "chat" });
  assert.equal(endpoints.endpoints.length, 1);
  assert.ok((await sdk.providers.list({})).data.length > 0);
  assert.ok(Array.isArray((await sdk.endpoints.listZdrEndpoints({})).data));
});

test("an answer, its generation and its cost", async () => {
  const { sdk } = await customer();
  const answer = await ask(sdk, "mock/chat", { sessionId: "conversation 1", user: "user-7" });
  assert.ok(answer.usage.cost > 0);
  const { data: generation } = await sdk.generations.getGeneration({ id: answer.id });
  assert.equal(generation.totalCost, answer.usage.cost);
  assert.equal(generation.id, answer.id);
  assert.deepEqual([generation.sessionId, generation.externalUser], ["conversation 1", "user-7"]);
  assert.match(generation.userAgent, /^speakeasy-sdk\//);
  const { data: credits } = await sdk.credits.getCredits({});
  assert.equal(credits.totalCredits, 1);
  assert.equal(credits.totalUsage, answer.usage.cost);
  const { data: key } = await sdk.apiKeys.getCurrentKeyMetadata();
  assert.equal(key.usageDaily, answer.usage.cost);
  assert.equal(key.isFreeTier, false);
});

test("a stream, and tools in it", async () => {
  const { sdk } = await customer();
  for (const model of ["mock/chat", "claude/chat", "demo/chat"]) {
    const chunks = [];
    for await (const chunk of await ask(sdk, model, { stream: true, maxTokens: 200 })) chunks.push(chunk);
    assert.ok(chunks.length > 2 && chunks.at(-1).usage.cost > 0, model);
  }
  const tool = { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } };
  const calls = [];
  for await (const chunk of await ask(sdk, "mock/tools", { stream: true, tools: [tool] })) {
    calls.push(...(chunk.choices[0]?.delta.toolCalls ?? []));
  }
  assert.ok(calls.length > 0);
  const whole = await ask(sdk, "mock/tools", { tools: [tool] });
  assert.equal(whole.choices[0].finishReason, "tool_calls");
});

test("errors are read as what they are", async () => {
  const { sdk } = await customer();
  await assert.rejects(ask(sdk, "nobody/nothing"), (error) => [400, 404].includes(error.statusCode) && error.message.includes("nobody/nothing"));
  await assert.rejects(ask(client(`sk-tg-v1-${"0".repeat(64)}`), "mock/chat"), (error) => error.statusCode === 401);
  await assert.rejects(ask(sdk, "mock/broken"), (error) => error.statusCode === 502);
  await assert.rejects(sdk.apiKeys.list({}), (error) => error.statusCode === 403);
  await assert.rejects(sdk.generations.getGeneration({ id: "gen-1790015143-00000000000000000001" }), (error) => error.statusCode === 404);
});

test("keys from their making to their end", async () => {
  const { key, data: made } = await management.apiKeys.create({ requestBody: { name: "sdk", limit: 5, limitReset: "monthly" } });
  assert.ok(key.startsWith("sk-tg-v1-"));
  assert.equal(made.limit, 5);
  assert.equal((await management.apiKeys.get({ hash: made.hash })).data.name, "sdk");
  const { data: changed } = await management.apiKeys.update({ hash: made.hash, requestBody: { name: "renamed", disabled: true } });
  assert.deepEqual([changed.name, changed.disabled], ["renamed", true]);
  const { data: listed } = await management.apiKeys.list({ includeDisabled: true });
  assert.ok(listed.some((known) => known.hash === made.hash) || listed.length === 100);
  assert.equal((await management.apiKeys.delete({ hash: made.hash })).deleted, true);
  await assert.rejects(management.apiKeys.get({ hash: made.hash }), (error) => error.statusCode === 404);
});

test("a code for an app, and the key that it becomes", async () => {
  const { sdk, account } = await customer();
  const wanted = { callbackUrl: "https://app.example/back", workspaceId: account, keyLabel: "an app", limit: 1.5, usageLimitType: "daily" };
  const { data: made } = await management.oAuth.createAuthCode({ requestBody: wanted });
  assert.ok(made.appId > 0 && Date.parse(made.createdAt) > 0, JSON.stringify(made));
  const { key, userId } = await management.oAuth.exchangeAuthCodeForAPIKey({ requestBody: { code: made.id } });
  assert.equal(userId, null);
  const { data: own } = await client(key).apiKeys.getCurrentKeyMetadata();
  assert.deepEqual([own.limit, own.limitReset], [1.5, "daily"]);
  await assert.rejects(sdk.oAuth.createAuthCode({ requestBody: wanted }), (error) => error.statusCode === 403);
});

test("activity and analytics add up to what was charged", async () => {
  const { sdk, hash } = await customer();
  const costs = [];
  for (const model of ["mock/chat", "mock/chat", "mock/any"]) costs.push((await ask(sdk, model)).usage.cost);
  const nanos = (usd) => Math.round(usd * 1e9);
  const charged = costs.map(nanos).reduce((sum, cost) => sum + cost);

  const { data: meta } = await management.analytics.getAnalyticsMeta({});
  assert.ok(meta.metrics.some((metric) => metric.name === "total_usage"));
  const metrics = meta.metrics.map((metric) => metric.name);
  const filters = [{ field: "api_key_id", operator: "eq", value: hash }];
  const query = (more) => management.analytics.queryAnalytics({ requestBody: { metrics, filters, ...more } });
  // The SDK's schema of a row has no fields and drops them all: only the number of rows is seen through it.
  await until("two models in analytics", async () => (await query({ dimensions: ["model"] })).data.metadata.rowCount === 2);
  for (const { name } of meta.dimensions) await query({ dimensions: [name] });
  for (const { name } of meta.granularities) await query({ dimensions: ["model"], granularity: name, groupLimit: 10, limit: 100 });
  const range = { start: new Date(Date.now() - 86_400_000), end: new Date() };
  await query({ timeRange: range, orderBy: { field: "total_usage", direction: "desc" } });

  const date = new Date().toISOString().slice(0, 10);
  const own = { date, apiKeyHash: hash };
  const rows = await until("three requests in activity", async () => {
    const { data } = await management.analytics.getUserActivity(own);
    return data.reduce((sum, row) => sum + row.requests, 0) === 3 && data;
  });
  assert.equal(rows.map((row) => nanos(row.usage)).reduce((sum, cost) => sum + cost), charged);
  await management.analytics.getUserActivity({});
});

test("data sets", async () => {
  const { sdk } = await customer();
  await ask(sdk, "mock/chat");
  const today = new Date().toISOString().slice(0, 10);
  const days = { startDate: today, endDate: today };
  for (const period of ["day", "week", "month"]) {
    const { data, meta } = await sdk.datasets.getRankingsDaily({ ...days, period });
    assert.ok(Array.isArray(data) && meta.startDate === today, period);
  }
  for (const sort of ["popular", "trending"]) {
    const { result } = await sdk.datasets.getAppRankings({ ...days, sort, limit: 10 });
    assert.ok(Array.isArray(result.data), sort);
  }
  await assert.rejects(sdk.datasets.getRankingsDaily({ ...days, category: "legal" }), (error) => error.statusCode === 400);
});
