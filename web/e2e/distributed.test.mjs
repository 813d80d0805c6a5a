// A shorter journey through a deployment whose roles are processes of their own on real servers. Run it with
// `TEST_SHAPE=distributed python3 tests/stack.py -- node --test web/e2e/distributed.test.mjs`: TOLLGATE_URL says where.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { api, figure, nanosIn, picture, signedIn, until, watched } from './app.mjs';
import { launch, settled } from './browser.mjs';
import { ADMIN } from './gateway.mjs';

const url = process.env.TOLLGATE_URL;
let browser;

before(async () => {
  browser = await launch();
});
after(() => browser?.close());

it('a credit is seen live, a chat is billed, and the request is found in activity, credits and the ledger', {
  skip: !url && 'TOLLGATE_URL does not say where a deployment is',
}, async () => {
  const { page, context, errors } = await signedIn(browser, url, ADMIN);
  const { session } = await api(page, 'GET', '/api/app/session');
  const account = session.accounts[0].id;
  await page.goto('/credits');
  await watched(page);
  const available = async () => nanosIn(await figure(page, 'Available').innerText());
  const before = await available();
  const credited = await api(page, 'POST', `/api/app/admin/accounts/${account}/credits`, {
    kind: 'topup',
    amount: '3',
    reason: 'seen live',
    idempotency_key: 'browser-1',
  });
  assert.equal(credited.status, 201, JSON.stringify(credited.body));
  await until(available, (now) => now - before === 3_000_000_000n, 'the credit');

  await page.goto('/playground?models=demo/chat');
  await page.getByRole('textbox', { name: 'Message' }).fill('Tell me about toll gates');
  await page.keyboard.press('Enter');
  const log = page.getByRole('log');
  const cost = await log.getByText(/^\$0\.\d+$/).innerText();
  await log.getByRole('link', { name: 'Details' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('Charged', { exact: true }).waitFor();
  assert.equal(nanosIn(cost) > 0n, true);
  assert.ok((await drawer.innerText()).includes(cost));
  await picture(page, 'distributed-request.en.light.1280');

  // The ledger books on its own time.
  const generation = new URL(page.url()).searchParams.get('generation');
  const booked = () => api(page, 'GET', `/api/app/accounts/${account}/transactions?generation_id=${generation}`);
  const { body } = await until(booked, ({ body }) => body.data.length === 1, 'the transaction');
  assert.equal(nanosIn(`$${body.data[0].amount.replace('-', '')}`), nanosIn(cost));

  for (const path of ['/', '/rankings', '/models/demo/chat', '/finance', '/admin/channels', '/admin/system']) {
    await page.goto(path);
    await settled(page);
    await picture(page, `distributed${path.replaceAll('/', '-')}.en.light.1280`, { fullPage: true });
  }
  assert.match(await figure(page, 'Deployment').innerText(), /Distributed/);
  assert.deepEqual(errors, []);
  await context.close();
});
