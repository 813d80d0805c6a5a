// What the tests of every SDK need of the deployment: its administration, and new accounts with credit.

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";

const { TOLLGATE_URL, TOLLGATE_MANAGEMENT_KEY } = process.env;

export async function admin(method, path, body) {
  const answer = await fetch(TOLLGATE_URL + path, {
    method,
    headers: { authorization: `Bearer ${TOLLGATE_MANAGEMENT_KEY}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const json = await answer.json();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${JSON.stringify(json)}`);
  return json;
}

/** A new account with credit: its id, its key and the key's hash. */
export async function newAccount(name, amount = "1") {
  const { data: account } = await admin("POST", "/api/v1/admin/accounts", { name });
  const credit = { amount, reason: "test", idempotency_key: `first-${account.id}` };
  await admin("POST", `/api/v1/admin/accounts/${account.id}/credits`, credit);
  const { key, data } = await admin("POST", "/api/v1/keys", { name, account_id: account.id });
  return { id: account.id, key, hash: data.hash };
}

export const nanos = (amount) => Math.round(amount * 1e9);

/** Charges in nano-dollars by generation, once nothing is held or pending. */
export async function charges({ id }) {
  for (let turn = 0; ; turn += 1) {
    const { data } = await admin("GET", `/api/v1/admin/accounts/${id}`);
    if (data.held === 0 && data.pending === 0) break;
    assert.ok(turn < 1000, `still held or pending: ${JSON.stringify(data)}`);
    await wait(20);
  }
  const { data } = await admin("GET", `/api/v1/admin/accounts/${id}/transactions`);
  const usage = data.filter((row) => row.kind === "usage").map((row) => [row.generation_id, -nanos(row.amount)]);
  assert.equal(new Set(usage.map(([generation]) => generation)).size, usage.length, "a generation was charged twice");
  return Object.fromEntries(usage);
}
