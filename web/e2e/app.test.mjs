// The web app on the built executable, as people use it: every page in both languages and themes at three widths, and
// the things that matter most done from end to end. Screenshots go to SCREENS (default: web/e2e/screens).

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { accessibilityFindings, launch, openPage, overflows, settled, signIn } from './browser.mjs';
import { ADMIN, startGateway } from './gateway.mjs';

const SCREENS = process.env.SCREENS ?? fileURLToPath(new URL('screens', import.meta.url));
const WIDTHS = [390, 1024, 1600];
const TEXTS = await texts();
const READY = await ready();

let gateway;
let browser;

before(async () => {
  await mkdir(SCREENS, { recursive: true });
  gateway = await startGateway();
  browser = await launch();
  await traffic();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

const chat = (key, model, more = {}) =>
  fetch(`${gateway.url}/api/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'x-title': 'Notebook',
      'http-referer': 'https://notebook.example',
    },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello' }], max_tokens: 60, ...more }),
  });

/** Something to look at on every page. */
async function traffic() {
  for (const model of ['demo/quick', 'demo/thorough', 'demo/free', 'demo/quick', 'demo/thorough', 'demo/quick']) {
    const answer = await chat(gateway.key, model);
    assert.equal(answer.status, 200, await answer.text());
  }
}

async function texts() {
  const read = async (name) =>
    JSON.parse(await readFile(fileURLToPath(new URL(`../src/i18n/${name}.json`, import.meta.url)), 'utf8'));
  const flat = (tree, path = '') =>
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value]] : flat(value, `${path}${key}.`),
    );
  const all = async (language) => new Map(flat({ ...(await read(language)), ...(await read(`${language}.pages`)) }));
  return { en: await all('en'), 'zh-CN': await all('zh-CN') };
}

/** Which parts of the app have their side of the gateway: web/src/app/ready.ts. */
async function ready() {
  const source = await readFile(fileURLToPath(new URL('../src/app/ready.ts', import.meta.url)), 'utf8');
  return Object.fromEntries(
    [...source.matchAll(/(\w+): (true|false)/g)].map(([, name, value]) => [name, value === 'true']),
  );
}

/** Texts on the page that are keys, or that stand there in the other language. */
async function untranslated(page, language) {
  const shown = await page.evaluate(() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (parent?.closest('code, pre, script, style, [lang]')) continue;
      found.push(walker.currentNode.textContent.trim());
    }
    for (const element of document.querySelectorAll('[aria-label], [placeholder], [title]'))
      for (const name of ['aria-label', 'placeholder', 'title']) found.push(element.getAttribute(name) ?? '');
    return found.filter(Boolean);
  });
  const other = language === 'en' ? 'zh-CN' : 'en';
  const own = new Set(TEXTS[language].values());
  const foreign = new Set([...TEXTS[other].values()].filter((text) => !own.has(text)));
  const keys = new Set(TEXTS.en.keys());
  return shown.filter((text) => foreign.has(text) || keys.has(text));
}

const PAGES = [
  '/',
  '/models',
  '/models?view=table',
  '/models/demo/thorough',
  '/compare?models=demo/quick,demo/thorough',
  '/rankings',
  '/playground',
  '/activity',
  '/credits',
  '/keys',
  '/settings/profile',
  '/settings/preferences',
  '/settings/account',
  '/settings/members',
  '/settings/devices',
  '/finance',
  '/finance/audit',
  '/admin/channels',
  '/admin/models',
  '/admin/accounts',
  '/admin/users',
  '/admin/codes',
  '/admin/changes',
  '/admin/system',
  '/key',
  '/nowhere',
].filter((path) => {
  if (/^\/rankings/.test(path)) return READY.statistics;
  if (/^\/activity/.test(path)) return READY.activity;
  if (/^\/(credits|keys|settings\/(account|members))/.test(path)) return READY.account;
  if (/^\/finance/.test(path)) return READY.finance;
  return READY.admin || !/^\/admin/.test(path);
});

/** Chooses for the person who is signed in, as the settings page does. */
async function prefer(page, preferences) {
  const status = await page.evaluate(async (body) => {
    const session = await (await fetch('/api/app/session')).json();
    const answer = await fetch('/api/app/preferences', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'x-csrf-token': session.data.csrf_token },
      body: JSON.stringify(body),
    });
    return answer.status;
  }, preferences);
  assert.equal(status, 200);
}

describe('every page', () => {
  for (const language of ['en', 'zh-CN'])
    for (const theme of ['light', 'dark'])
      it(`in ${language}, ${theme}, at ${WIDTHS.join(', ')} px`, async () => {
        const { page, context, errors } = await openPage(browser, { url: gateway.url });
        await signIn(page, ADMIN);
        await prefer(page, { language, theme });
        const faults = [];
        for (const path of PAGES) {
          await page.setViewportSize({ width: WIDTHS[0], height: 844 });
          await page.goto(path);
          await settled(page);
          await page.waitForFunction((wanted) => document.documentElement.lang === wanted, language);
          const name = path.replace(/^\//, '').replace(/[^a-z0-9]+/gi, '-') || 'home';
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
            await settled(page);
            await page.screenshot({ path: join(SCREENS, `${name}.${language}.${theme}.${width}.png`), fullPage: true });
            if (await overflows(page)) faults.push(`${path} at ${width}: wider than the screen`);
          }
          for (const text of await untranslated(page, language)) faults.push(`${path}: not translated: ${text}`);
          // Colours depend on the theme, names and roles on neither: once a theme will do.
          if (language === 'en')
            for (const finding of await accessibilityFindings(page)) faults.push(`${path}: ${finding}`);
        }
        assert.deepEqual(faults, []);
        assert.deepEqual(errors, []);
        await context.close();
      });

  it('before anybody has signed in, in the language of the browser', async () => {
    const { page, context, errors } = await openPage(browser, {
      url: gateway.url,
      locale: 'zh-CN',
      width: 390,
      height: 844,
    });
    for (const path of ['/', '/models', '/playground', '/sign-in']) {
      await page.goto(path);
      await settled(page);
      assert.deepEqual(await untranslated(page, 'zh-CN'), [], path);
      assert.deepEqual(await accessibilityFindings(page), [], path);
      await page.screenshot({
        path: join(SCREENS, `visitor${path.replaceAll('/', '-')}.zh-CN.light.390.png`),
        fullPage: true,
      });
    }
    // Asking whether somebody is signed in is answered with 401, which the browser writes to its console.
    assert.deepEqual(
      errors.filter((error) => !/401/.test(error)),
      [],
    );
    await context.close();
  });
});

/** A page of somebody signed in, in English. */
async function signedIn(person = ADMIN, size = {}) {
  const opened = await openPage(browser, { url: gateway.url, ...size });
  await signIn(opened.page, person);
  await prefer(opened.page, { language: 'en', theme: 'light' });
  await opened.page.reload();
  await settled(opened.page);
  return opened;
}

const api = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const session = await (await fetch('/api/app/session')).json();
      const answer = await fetch(path, {
        method,
        headers: { 'content-type': 'application/json', 'x-csrf-token': session.data.csrf_token },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      return { status: answer.status, body: await answer.json().catch(() => null), session: session.data };
    },
    [method, path, body],
  );

describe('people', () => {
  it('are refused with a wrong password and led to the page they wanted with the right one', {
    skip: !READY.account,
  }, async () => {
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

  it('see what an answer cost, and the request in the activity with its cost line by line', {
    skip: !READY.activity,
  }, async () => {
    const { page, context, errors } = await signedIn();
    await page.goto('/playground?models=demo/quick,demo/thorough');
    await page.getByRole('textbox', { name: 'Message' }).fill('Tell me about toll gates');
    await page.keyboard.press('Enter');
    const costs = page.getByRole('log').getByText(/^\$0\.\d+$/);
    await costs.nth(1).waitFor();
    assert.equal(await page.getByRole('log').count(), 2);
    const cost = await page
      .getByRole('log', { name: 'demo/quick' })
      .getByText(/^\$0\.\d+$/)
      .innerText();
    await page.screenshot({ path: join(SCREENS, 'playground-answered.en.light.1280.png'), fullPage: true });
    await page.getByRole('log', { name: 'demo/quick' }).getByRole('link', { name: 'Details' }).click();
    const drawer = page.getByRole('dialog');
    await drawer.getByText('Charged', { exact: true }).waitFor();
    assert.match(await drawer.innerText(), new RegExp(cost.replace(/[.$]/g, '\\$&')));
    await page.screenshot({ path: join(SCREENS, 'activity-drawer.en.light.1280.png') });
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'hidden' });
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('see a credit arrive in a window that is open already', { skip: !(READY.live && READY.admin) }, async () => {
    const watching = await signedIn();
    await watching.page.goto('/credits');
    await watching.page.getByText('Live', { exact: true }).waitFor();
    const available = () =>
      watching.page
        .locator('main div')
        .filter({ hasText: /^Available\$[\d.,]+can be spent$/ })
        .first()
        .innerText();
    const before = await available();
    const acting = await signedIn();
    await acting.page.goto('/admin/accounts');
    await acting.page.getByRole('button', { name: 'Credit: Acme' }).click();
    await acting.page.getByLabel('Amount').fill('7.000000001');
    await acting.page.getByLabel('Reason').fill('seen live');
    await acting.page.getByRole('dialog').getByRole('button', { name: 'Credit' }).click();
    await acting.page.getByText('Acme was credited $7.000000001.').waitFor();
    await watching.page.waitForFunction(
      (was) => !document.querySelector('main')?.innerText.includes(was),
      amountOf(before),
    );
    const digits = (text) =>
      BigInt(
        amountOf(text)
          .replace(/[$,]/g, '')
          .replace(/\.(\d*)$/, (_, rest) => rest.padEnd(9, '0')),
      );
    assert.equal(digits(await available()) - digits(before), 7_000_000_001n);
    assert.deepEqual([...watching.errors, ...acting.errors], []);
    await watching.context.close();
    await acting.context.close();
  });

  it('make a key, use it, disable it, and take that back', { skip: !READY.account }, async () => {
    const { page, context, errors } = await signedIn();
    await page.goto('/keys');
    await page.getByRole('button', { name: 'Create a key' }).first().click();
    await page.getByLabel('Name').fill('Browser proof');
    await page.getByRole('dialog').getByRole('button', { name: 'Create a key' }).click();
    const secret = await page.getByRole('dialog').locator('code').innerText();
    assert.match(secret, /^sk-tg-v1-/);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    assert.equal((await chat(secret, 'demo/quick')).status, 200);
    await page.getByRole('button', { name: 'Disable: Browser proof' }).click();
    await page.getByText('Browser proof is disabled.').waitFor();
    assert.equal((await chat(secret, 'demo/quick')).status, 401);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Disable: Browser proof' }).waitFor();
    assert.equal((await chat(secret, 'demo/quick')).status, 200);
    assert.equal((await page.content()).includes(secret), false);
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('may not see what their role does not allow', { skip: !(READY.account && READY.finance) }, async () => {
    const { page, context } = await signedIn();
    const { session } = await api(page, 'GET', '/api/app/session');
    const account = session.accounts[0].id;
    const analyst = { email: 'analyst@example.com', password: 'a long enough password 7' };
    const invited = await api(page, 'POST', `/api/app/accounts/${account}/invitations`, {
      email: analyst.email,
      role: 'analyst',
    });
    assert.equal(invited.status, 201, JSON.stringify(invited.body));
    const guest = await openPage(browser, { url: gateway.url });
    await guest.page.goto(new URL(invited.body.data.link).pathname);
    await guest.page.getByLabel('Name').fill('Ana');
    await guest.page.getByLabel('New password').fill(analyst.password);
    await guest.page.screenshot({ path: join(SCREENS, 'invitation.en.light.1280.png') });
    await guest.page.getByRole('button', { name: 'Join' }).click();
    await guest.page.waitForURL((address) => address.pathname === '/');
    await prefer(guest.page, { language: 'en' });
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

  it('find their filters again after a reload', { skip: !READY.activity }, async () => {
    const { page, context, errors } = await signedIn();
    await page.goto('/models');
    await page.getByRole('textbox', { name: /Search/ }).fill('quick');
    await page.getByRole('radio', { name: 'Table' }).check({ force: true });
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

  it('reach everything with the keyboard, on a phone too', async () => {
    const { page, context, errors } = await signedIn(ADMIN, { width: 390, height: 844 });
    await page.goto('/');
    await settled(page);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('href')), '#content');
    await page.getByRole('button', { name: 'Menu' }).focus();
    await page.keyboard.press('Enter');
    const menu = page.getByRole('dialog', { name: 'Menu' });
    await menu.waitFor();
    await menu.getByRole('link', { name: 'Models' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Models', level: 1 }).waitFor();
    await menu.waitFor({ state: 'hidden' });
    assert.deepEqual(errors, []);
    await context.close();
  });
});

const amountOf = (text) => /\$[\d.,]*\d/.exec(text)[0];
