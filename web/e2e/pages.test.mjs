// Every page on the built executable in both languages and themes at three widths. Screenshots go to SCREENS (default:
// web/e2e/screens).

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { api, chat, picture, prefer, untranslated } from './app.mjs';
import { accessibilityFindings, launch, openPage, overflows, settled, signIn } from './browser.mjs';
import { ADMIN, playTraffic, startGateway } from './gateway.mjs';

const WIDTHS = [390, 1024, 1600];

let gateway;
let browser;
/** Addresses that are known only once there is something to look at. */
let details;
/** Who looks, by language and theme. */
const people = { 'en light': ADMIN };

before(async () => {
  gateway = await startGateway();
  browser = await launch();
  await playTraffic(gateway);
  details = await traffic();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** Puts an invoice beside the report of provider costs. */
async function compareInvoice(page) {
  await page.getByRole('table').waitFor();
  await page.locator('input[inputmode=decimal]').fill('0.01');
}

/** Goes to another page as a link does, without loading the app anew. */
async function open(page, path) {
  await page.evaluate((address) => window.history.pushState({}, '', address), path);
  await settled(page);
}

/** Something to look at on every page. */
async function traffic() {
  let generation;
  for (const model of ['demo/quick', 'demo/thorough', 'demo/free', 'demo/quick', 'demo/thorough', 'demo/quick']) {
    const answer = await chat(gateway.url, gateway.key, model);
    assert.equal(answer.status, 200, await answer.clone().text());
    generation = (await answer.json()).id;
  }
  const embedded = await fetch(`${gateway.url}/api/v1/embeddings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo/embed', input: ['a text', 'another text'] }),
  });
  assert.equal(embedded.status, 200, await embedded.clone().text());
  const { page, context } = await openPage(browser, { url: gateway.url });
  await signIn(page, ADMIN);
  const batch = await api(page, 'POST', '/api/app/admin/codes', { amount: '5.00', count: 3, note: 'Workshop' });
  assert.equal(batch.status, 201);
  const channels = await api(page, 'GET', '/api/app/admin/channels');
  const account = channels.session.accounts[0].id;
  for (const looks of ['en dark', 'zh-CN light', 'zh-CN dark']) {
    const person = {
      email: `${looks.replace(' ', '.')}@example.com`.toLowerCase(),
      password: 'a long enough password 7',
    };
    const invitation = { email: person.email, role: 'owner' };
    const invited = await api(page, 'POST', `/api/app/accounts/${account}/invitations`, invitation);
    assert.equal(invited.status, 201, JSON.stringify(invited.body));
    const token = new URL(invited.body.data.link).pathname.split('/').at(-1);
    const joined = await fetch(`${gateway.url}/auth/invitations/${token}/accept`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: looks, password: person.password }),
    });
    assert.equal(joined.status, 200, await joined.clone().text());
    const { user } = (await joined.json()).data;
    const promoted = await api(page, 'PATCH', `/api/app/admin/users/${user.id}`, { is_platform_admin: true });
    assert.equal(promoted.status, 200);
    people[looks] = person;
  }
  await context.close();
  return [
    ['request', `/activity?generation=${generation}`],
    ['request-embedded', `/activity?generation=${embedded.headers.get('x-generation-id')}`],
    ['batch', `/admin/codes?batch=${batch.body.data.id}`],
    ['channel', `/admin/channels?channel=${channels.body.data[0].id}`],
    ['provider-costs-report', '/finance/provider-costs?by=day', compareInvoice],
  ];
}

const PAGES = [
  '/',
  '/models',
  '/models?view=table',
  '/models/demo/thorough',
  '/models/demo/embed',
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
  '/finance/provider-costs',
  '/admin/channels',
  '/admin/models',
  '/admin/accounts',
  '/admin/users',
  '/admin/codes',
  '/admin/changes',
  '/admin/system',
  '/key',
  '/nowhere',
].map((path) => [path.replace(/^\//, '').replace(/[^a-z0-9]+/gi, '-') || 'home', path]);

// Two at a time: a browser leaves a core idle while it waits.
describe('every page', { concurrency: 2 }, () => {
  for (const language of ['en', 'zh-CN'])
    for (const theme of ['light', 'dark'])
      it(`in ${language}, ${theme}, at ${WIDTHS.join(', ')} px`, async () => {
        // Preferences follow a person, so each of these is one.
        const person = people[`${language} ${theme}`];
        const { page, context, errors } = await openPage(browser, { url: gateway.url });
        await signIn(page, person);
        await prefer(page, { language, theme });
        await page.reload();
        await page.waitForFunction((wanted) => document.documentElement.lang === wanted, language);
        const faults = [];
        for (const [name, path, act] of [...PAGES, ...details]) {
          await open(page, path);
          await act?.(page);
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
            await settled(page);
            await picture(page, `${name}.${language}.${theme}.${width}`, { fullPage: true });
            if (await overflows(page)) faults.push(`${path} at ${width}: wider than the screen`);
          }
          for (const text of await untranslated(page, language)) faults.push(`${path}: not translated: ${text}`);
          // Names and roles depend on neither language nor theme, colours on the theme alone.
          const asked = { 'en light': 'everything', 'en dark': 'colours' }[`${language} ${theme}`];
          if (asked) for (const finding of await accessibilityFindings(page, asked)) faults.push(`${path}: ${finding}`);
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
    for (const path of ['/', '/models', '/rankings', '/playground', '/sign-in']) {
      await page.goto(path);
      await settled(page);
      assert.deepEqual(await untranslated(page, 'zh-CN'), [], path);
      assert.deepEqual(await accessibilityFindings(page), [], path);
      await picture(page, `visitor${path.replaceAll('/', '-')}.zh-CN.light.390`, { fullPage: true });
    }
    assert.deepEqual(errors, []);
    await context.close();
  });
});
