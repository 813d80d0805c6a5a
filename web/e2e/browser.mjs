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

/** Until nothing is loading any more. */
export async function settled(page) {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(
    () => document.querySelector('h1, h2') !== null && document.querySelector('[aria-busy="true"]') === null,
  );
}

/** Serious findings of axe, in words. */
export async function accessibilityFindings(page) {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'])
    .analyze();
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
