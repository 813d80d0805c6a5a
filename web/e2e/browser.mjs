// Debian's Chromium, and what every page has to keep to: no console error, no serious accessibility finding, nothing
// wider than the screen.

import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium', args: FLAGS });

/** A browser of its own with nothing remembered; what it complains of is collected in `errors`. */
export async function openPage(browser, { url, locale = 'en-US', scheme = 'light', width = 1280, height = 900 }) {
  const context = await browser.newContext({
    baseURL: url,
    locale,
    colorScheme: scheme,
    viewport: { width, height },
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  countRequests(page);
  const errors = [];
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    // Asking whether somebody is signed in is answered with 401, which the browser writes to its console.
    const asked = message.location().url?.endsWith('/api/app/session') && message.text().includes('401');
    if (message.type() === 'error' && !asked)
      errors.push(`${page.url()}: ${message.text()} ${message.location().url ?? ''}`);
  });
  return { page, context, errors };
}

/** Requests of a page that are not answered yet; a WebSocket is none. */
const running = new WeakMap();

function countRequests(page) {
  const open = new Set();
  running.set(page, open);
  page.on('request', (request) => {
    // What the page before still waited for is never answered.
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) open.clear();
    open.add(request);
  });
  for (const end of ['requestfinished', 'requestfailed']) page.on(end, (request) => open.delete(request));
}

const SETTLED_MS = 15_000;

/** Until nothing is loading any more: three times in a row, with a frame drawn in between. */
export async function settled(page) {
  const end = Date.now() + SETTLED_MS;
  for (let calm = 0; calm < 3; ) {
    if (Date.now() > end) throw new Error(`${page.url()} did not settle within ${SETTLED_MS / 1000} s`);
    const drawn = await page.evaluate(async () => {
      await document.fonts.ready;
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
      return document.querySelector('h1, h2') !== null && document.querySelector('[aria-busy="true"]') === null;
    });
    calm = drawn && running.get(page).size === 0 ? calm + 1 : 0;
    if (calm === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Serious findings of axe, in words: of everything, or of colours only. */
export async function accessibilityFindings(page, asked = 'everything') {
  const axe = new AxeBuilder({ page });
  const chosen =
    asked === 'colours'
      ? axe.withRules(['color-contrast'])
      : axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']);
  const { violations } = await chosen.analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, help, nodes }) =>
        `${id}: ${help}: ${nodes
          .slice(0, 3)
          .map((node) => node.html)
          .join(' | ')}`,
    );
}

export async function signIn(page, { email, password }) {
  await page.goto('/sign-in');
  await page.locator('input[type=email]').fill(email);
  await page.locator('input[autocomplete="current-password"]').fill(password);
  await page.locator('form button[type=submit]').click();
  await page.waitForURL((address) => address.pathname !== '/sign-in');
}

export const overflows = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1);
