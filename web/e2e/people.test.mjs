// What matters most, done in the browser from end to end on the built executable.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { api, chat, figure, nanosIn, picture, prefer, signedIn, until, watched } from './app.mjs';
import { launch, openPage, settled } from './browser.mjs';
import { ADMIN, startGateway } from './gateway.mjs';

let gateway;
let browser;
const enter = (...more) => signedIn(browser, gateway.url, ...more);

before(async () => {
  gateway = await startGateway();
  browser = await launch();
  assert.equal((await chat(gateway.url, gateway.key, 'demo/quick')).status, 200);
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** A new person in the administrator's account, who has taken an invitation for a role and reads English. */
async function joined(page, role, name) {
  const { session } = await api(page, 'GET', '/api/app/session');
  const account = session.accounts[0].id;
  const invited = await api(page, 'POST', `/api/app/accounts/${account}/invitations`, {
    email: `${role.toLowerCase()}@example.com`,
    role: role.toLowerCase(),
  });
  assert.equal(invited.status, 201, JSON.stringify(invited.body));
  const guest = await openPage(browser, { url: gateway.url });
  await guest.page.goto(new URL(invited.body.data.link).pathname);
  await guest.page.getByLabel('Name').fill(role);
  await guest.page.getByLabel('New password').fill('a long enough password 7');
  if (name) await picture(guest.page, name);
  await guest.page.getByRole('button', { name: 'Join' }).click();
  await guest.page.waitForURL((address) => address.pathname === '/');
  await prefer(guest.page, { language: 'en' });
  return { guest, account };
}

describe('people', () => {
  it('are refused with a wrong password and led to the page they wanted with the right one', async () => {
    const { page, context } = await openPage(browser, { url: gateway.url });
    await page.goto('/credits?kind=topup');
    await page.waitForURL(/\/sign-in/);
    await page.getByLabel('E-mail').fill(ADMIN.email);
    await page.locator('input[autocomplete="current-password"]').fill('wrong');
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('E-mail and password do not belong together.').waitFor();
    await page.locator('input[autocomplete="current-password"]').fill(ADMIN.password);
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(/\/credits\?kind=topup/);
    await context.close();
  });

  it('see what an answer cost, and the request in the activity with its cost line by line', async () => {
    const { page, context, errors } = await enter();
    await page.goto('/playground?models=demo/quick,demo/thorough');
    await page.getByRole('textbox', { name: 'Message' }).fill('Tell me about toll gates');
    await page.keyboard.press('Enter');
    const costs = page.getByRole('log').getByText(/^\$0\.\d+$/);
    await costs.nth(1).waitFor();
    assert.equal(await page.getByRole('log').count(), 2);
    const log = page.getByRole('log', { name: 'demo/quick' });
    const cost = await log.getByText(/^\$0\.\d+$/).innerText();
    await picture(page, 'playground-answered.en.light.1280', { fullPage: true });
    await log.getByRole('link', { name: 'Details' }).click();
    const drawer = page.getByRole('dialog');
    await drawer.getByText('Charged', { exact: true }).waitFor();
    assert.match(await drawer.innerText(), new RegExp(cost.replace(/[.$]/g, '\\$&')));
    await picture(page, 'activity-drawer.en.light.1280');
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'hidden' });
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('redeem a code once, and see the money in a window that is open already', async () => {
    const watching = await enter();
    await watching.page.goto('/credits');
    await watched(watching.page);
    const available = () => figure(watching.page, 'Available').innerText();
    const before = nanosIn(await available());
    const acting = await enter();
    const made = await api(acting.page, 'POST', '/api/app/admin/codes', { amount: '7.000000001', count: 1, note: '' });
    assert.equal(made.status, 201);
    const [code] = made.body.data.codes;
    await acting.page.goto('/credits');
    const redeem = async () => {
      await acting.page.getByLabel('Code').fill(code);
      await acting.page.getByRole('button', { name: 'Redeem' }).click();
    };
    await redeem();
    await acting.page.getByText('$7.000000001 was added.').waitFor();
    await until(
      async () => nanosIn(await available()) - before,
      (gained) => gained === 7_000_000_001n,
      'the credit',
    );
    await redeem();
    await acting.page.getByText('This code has been used.').waitFor();
    assert.deepEqual(watching.errors, []);
    await watching.context.close();
    await acting.context.close();
  });

  it('who administer credit an account, which its window shows at once', async () => {
    const watching = await enter();
    await watching.page.goto('/credits');
    await watched(watching.page);
    const available = () => figure(watching.page, 'Available').innerText();
    const before = nanosIn(await available());
    const acting = await enter();
    await acting.page.goto('/admin/accounts');
    await acting.page.getByRole('button', { name: 'Credit: Acme' }).click();
    await acting.page.getByLabel('Amount').fill('2.5');
    await acting.page.getByLabel('Reason').fill('seen live');
    await acting.page.getByRole('dialog').getByRole('button', { name: 'Credit' }).click();
    await acting.page.getByText('Acme was credited $2.50.').waitFor();
    await until(
      async () => nanosIn(await available()) - before,
      (gained) => gained === 2_500_000_000n,
      'the credit',
    );
    await acting.page.getByRole('button', { name: 'Acme', exact: true }).click();
    await acting.page.waitForURL(/account=acct_/);
    await acting.page.getByRole('dialog').getByRole('cell', { name: 'seen live' }).waitFor();
    await picture(acting.page, 'admin-account.en.light.1280');
    assert.deepEqual([...watching.errors, ...acting.errors], []);
    await watching.context.close();
    await acting.context.close();
  });

  it('make a key, use it, disable it, and take that back', async () => {
    const { page, context, errors } = await enter();
    await page.goto('/keys');
    await page.getByRole('button', { name: 'Create a key' }).first().click();
    await page.getByLabel('Name').fill('Browser proof');
    await page.getByRole('dialog').getByRole('button', { name: 'Create a key' }).click();
    const secret = await page.getByRole('dialog').locator('code').innerText();
    assert.match(secret, /^sk-tg-v1-/);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    const use = async () => (await chat(gateway.url, secret, 'demo/quick')).status;
    assert.equal(await use(), 200);
    await page.getByRole('button', { name: 'Disable: Browser proof' }).click();
    await page.getByText('Browser proof is disabled.').waitFor();
    assert.equal(await use(), 401);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Disable: Browser proof' }).waitFor();
    assert.equal(await use(), 200);
    assert.equal((await page.content()).includes(secret), false);
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('may not see what their role does not allow', async () => {
    const { page, context } = await enter();
    const { guest, account } = await joined(page, 'Analyst', 'invitation.en.light.1280');
    for (const [path, words] of [
      ['/keys', 'As Analyst of Acme you may not see this page.'],
      ['/finance', 'As Analyst of Acme you may not see this page.'],
      ['/admin/channels', 'This page is for administrators of the platform.'],
    ]) {
      await guest.page.goto(path);
      await guest.page.getByText(words).waitFor();
    }
    const links = await guest.page.getByRole('navigation').first().innerText();
    assert.doesNotMatch(links, /Finance|Administration|Keys/);
    const refused = await api(guest.page, 'GET', `/api/app/accounts/${account}/ledger`);
    assert.equal(refused.status, 403);
    await context.close();
    await guest.context.close();
  });

  it('of finance see what the audit says of their account, and are warned of a low balance', async () => {
    const { page, context } = await enter();
    const { guest } = await joined(page, 'Finance');
    await guest.page.goto('/finance/audit');
    await guest.page.getByText('The books hold').waitFor();
    assert.equal(await guest.page.getByRole('button', { name: 'Check now' }).count(), 0);
    assert.equal(await guest.page.getByRole('table', { name: 'Chain heads' }).getByRole('row').count(), 2);
    await guest.page.goto('/credits');
    await guest.page.getByLabel('Warn below').fill('1000000');
    await guest.page.getByLabel('Address for the message').fill('https://books.example.com/low');
    await guest.page.getByRole('main').getByRole('button', { name: 'Save' }).click();
    await guest.page.getByText('The balance is below the limit you set.').waitFor();
    assert.match(await guest.page.getByRole('main').locator('pre').innerText(), /^whsec_/);
    await picture(guest.page, 'credits-alert.en.light.1280', { fullPage: true });
    await guest.page.getByRole('main').getByRole('button', { name: 'Delete' }).click();
    await guest.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await guest.page.getByText('The balance is below the limit you set.').waitFor({ state: 'hidden' });
    assert.deepEqual(guest.errors, []);
    await context.close();
    await guest.context.close();
  });

  it('stop an answer, and see what the part of it cost', async () => {
    const { page, context, errors } = await enter();
    await page.goto('/playground?models=demo/thorough');
    await page.getByRole('textbox', { name: 'Message' }).fill('Tell me everything about toll gates');
    await page.keyboard.press('Enter');
    // Within the page: the whole answer takes a second.
    await page.evaluate(
      () =>
        new Promise((stopped) => {
          const look = () => {
            const answer = document.querySelector('article[data-role="assistant"]');
            const stop = document.querySelector('button[aria-label="Stop"]');
            if (!stop || !answer || answer.innerText.length < 60) return requestAnimationFrame(look);
            stop.click();
            stopped();
          };
          look();
        }),
    );
    await page.getByText('Stopped. What was produced is charged.').waitFor();
    await page
      .getByRole('log')
      .getByText(/^\$0\.?\d*$/)
      .waitFor();
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('find their filters again after a reload', async () => {
    const { page, context, errors } = await enter();
    await page.goto('/models');
    await page.getByRole('textbox', { name: /Search/ }).fill('quick');
    await page.getByRole('main').getByText('Table', { exact: true }).click();
    await page.getByText('1 model', { exact: true }).waitFor();
    await page.reload();
    await settled(page);
    assert.equal(await page.getByRole('textbox', { name: /Search/ }).inputValue(), 'quick');
    await page.getByText('1 model', { exact: true }).waitFor();
    await page.goto('/activity');
    await page.getByRole('combobox', { name: 'State' }).selectOption('cancelled');
    await page.waitForURL(/status=cancelled/);
    await page.reload();
    await settled(page);
    assert.equal(await page.getByRole('combobox', { name: 'State' }).inputValue(), 'cancelled');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('compare a provider’s invoice with what the books say, and take that home as a table', async () => {
    const { page, context, errors } = await enter();
    const ask = (more = '') =>
      page.evaluate(async (path) => (await fetch(path)).text(), `/api/app/admin/provider-costs?by=month${more}`);
    await until(
      () => ask(),
      (text) => /"provider_cost":0\.0*[1-9]/.test(text) && /"difference":0[,}]/.test(text),
      'the cost of a request',
    );
    await page.goto('/finance');
    await page.getByRole('main').getByRole('link', { name: 'Provider costs' }).click();
    await page.getByText('Proven: the ledger posted').waitFor();
    await page.getByRole('combobox', { name: 'Provider' }).selectOption('Demo');
    const should = nanosIn(await figure(page, 'Should be invoiced').innerText());
    assert.ok(should > 0n);
    const more = should + 1_500_000_000n;
    const invoiced = `${more / 1_000_000_000n}.${String(more % 1_000_000_000n).padStart(9, '0')}`;
    await page.getByLabel('Amount of the invoice').fill(invoiced);
    await page.getByText('The invoice is $1.50 too high').waitFor();
    await picture(page, 'provider-costs-compared.en.light.1280', { fullPage: true });
    await page.waitForURL((address) => address.searchParams.get('invoiced') === JSON.stringify(invoiced));
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'provider-costs.csv');
    const bytes = [];
    for await (const some of await download.createReadStream()) bytes.push(some);
    const table = Buffer.concat(bytes).toString();
    assert.match(table, /^period,channel,provider,model,requests,/);
    assert.equal(table, await ask('&provider=Demo&format=csv'));
    await page.reload();
    await page.getByText('The invoice is $1.50 too high').waitFor();
    assert.equal(await page.getByRole('combobox', { name: 'Provider' }).inputValue(), 'Demo');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('take a ranking home as a table', async () => {
    const { page, context, errors } = await enter();
    await page.goto('/rankings');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV' }).click(),
    ]);
    const rows = [];
    for await (const bytes of await download.createReadStream()) rows.push(bytes.toString());
    const [head, first] = rows.join('').split('\r\n');
    assert.match(head, /^from,to,rank,model,value,share,change,previous_rank$/);
    assert.match(first, /,1,demo\//);
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('reach everything with the keyboard, on a phone too', async () => {
    const { page, context, errors } = await enter(ADMIN, { width: 390, height: 844 });
    await page.goto('/');
    await settled(page);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('href')), '#content');
    await page.getByRole('button', { name: 'Menu' }).focus();
    await page.keyboard.press('Enter');
    const menu = page.getByRole('dialog', { name: 'Menu' });
    await menu.waitFor();
    await picture(page, 'menu.en.light.390');
    await menu.getByRole('link', { name: 'Models' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
    await menu.waitFor({ state: 'hidden' });
    assert.deepEqual(errors, []);
    await context.close();
  });
});
