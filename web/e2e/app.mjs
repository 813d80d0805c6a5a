// What the tests of the app share: where pictures go, who is signed in, and the texts of both languages.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPage, settled, signIn } from './browser.mjs';
import { ADMIN } from './gateway.mjs';

const SCREENS = process.env.SCREENS ?? fileURLToPath(new URL('screens', import.meta.url));
mkdirSync(SCREENS, { recursive: true });

/** Keeps a picture of the page under a name. */
export const picture = (page, name, options = {}) =>
  page.screenshot({ path: join(SCREENS, `${name}.jpg`), type: 'jpeg', quality: 85, ...options });

/** A page of somebody signed in, in English. */
export async function signedIn(browser, url, person = ADMIN, size = {}) {
  const opened = await openPage(browser, { url, ...size });
  await signIn(opened.page, person);
  await prefer(opened.page, { language: 'en', theme: 'light' });
  await opened.page.reload();
  await settled(opened.page);
  return opened;
}

/** Asks the app's own API as the person who is signed in. */
export const api = (page, method, path, body) =>
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

/** Chooses for the person who is signed in, as the settings page does. */
export async function prefer(page, preferences) {
  const { status } = await api(page, 'PATCH', '/api/app/preferences', preferences);
  assert.equal(status, 200);
}

export const chat = (url, key, model, more = {}) =>
  fetch(`${url}/api/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'x-title': 'Notebook',
      'http-referer': 'https://notebook.example',
    },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello' }], max_tokens: 60, ...more }),
  });

const TEXTS = await texts();

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

/** Texts on the page that are keys, or that stand there in the other language. */
export async function untranslated(page, language) {
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

/** Whether the gateway pushes: web/src/app/ready.ts. Otherwise pages ask every few seconds. */
const PUSHED = !/live: false/.test(
  await readFile(fileURLToPath(new URL('../src/app/ready.ts', import.meta.url)), 'utf8').catch(() => ''),
);

/** Until the page is kept up to date, in the way it should be. */
export const watched = (page) =>
  // What is read out comes before what is seen.
  page
    .getByText(PUSHED ? /^Live$/ : /^Refreshed every few seconds/)
    .last()
    .waitFor();

/** A number with its name above it. */
export const figure = (page, name) =>
  page
    .locator('main dl > div')
    .filter({ has: page.getByText(name, { exact: true }) })
    .first();

/** The first amount in a text, in nano-dollars. */
export function nanosIn(text) {
  const [, whole, rest = ''] = /\$([\d,]+)(?:\.(\d+))?/.exec(text);
  return BigInt(whole.replaceAll(',', '') + rest.padEnd(9, '0'));
}

/** Asks until the answer is what is wanted: for what the gateway does a moment later. */
export async function until(ask, wanted, what) {
  const end = Date.now() + 15_000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come about; last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
