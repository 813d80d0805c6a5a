// Signing in at a real OpenID provider on this machine, and granting another program a key.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { api, chat, picture, signedIn } from './app.mjs';
import { launch, openPage, settled } from './browser.mjs';
import { startGateway, startIdentityProvider } from './gateway.mjs';

let identity;
let gateway;
let browser;

before(async () => {
  identity = await startIdentityProvider();
  gateway = await startGateway(`
[auth]
sign_up = true

[auth.oidc.company]
issuer = "${identity.issuer}"
client_id = "${identity.client_id}"
client_secret = "${identity.client_secret}"
`);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await identity?.stop();
});

/** Goes to the provider from the sign-in page and comes back. */
async function throughProvider(page, return_to) {
  await page.goto(`/sign-in?${new URLSearchParams({ return_to })}`);
  await settled(page);
  await page.getByRole('link', { name: /Continue with/ }).click();
}

describe('the provider', () => {
  it('leads somebody new to an account of their own, and back to the page they wanted', async () => {
    await identity.person({ sub: 'p-1', email: 'ada@company.example', email_verified: true, name: 'Ada' });
    const { page, context, errors } = await openPage(browser, { url: gateway.url });
    await page.goto('/sign-in');
    await settled(page);
    await picture(page, 'sign-in-provider.en.light.1280');
    await throughProvider(page, '/settings/profile');
    await page.waitForURL(/\/settings\/profile$/);
    const { session } = await api(page, 'GET', '/api/app/session');
    assert.equal(session.user.email, 'ada@company.example');
    assert.equal(session.accounts[0].role, 'owner');
    assert.deepEqual(errors, []);
    await context.close();
  });

  it('is not believed about an address that it has not verified', async () => {
    await identity.person({ sub: 'p-2', email: 'eve@company.example', email_verified: false, name: 'Eve' });
    const { page, context } = await openPage(browser, { url: gateway.url });
    await throughProvider(page, '/credits');
    await page.waitForURL(/\/sign-in\?.*error=email_unverified/);
    await page.getByText('The provider has not verified this e-mail address.').waitFor();
    await context.close();
  });

  it('is not believed when its token is signed with a key that is not its own', async () => {
    await identity.person({ sub: 'p-3', email: 'mal@company.example', email_verified: true, name: 'Mal' });
    await identity.misbehave('other_key');
    const { page, context } = await openPage(browser, { url: gateway.url });
    await throughProvider(page, '/credits');
    await page.waitForURL(/\/sign-in\?.*error=/);
    await page.getByRole('alert').waitFor();
    await identity.misbehave('nothing');
    await context.close();
  });
});

describe('another program', () => {
  it('gets a key that works, by PKCE, once the person has agreed', async () => {
    const program = createServer((_, response) => response.end('<title>back</title>'));
    program.listen(0, '127.0.0.1');
    await once(program, 'listening');
    const callback = `http://127.0.0.1:${program.address().port}/done`;
    const verifier = randomBytes(32).toString('base64url');
    const { page, context } = await signedIn(browser, gateway.url);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const asked = { callback_url: callback, code_challenge: challenge, code_challenge_method: 'S256' };
    await page.goto(`/auth?${new URLSearchParams(asked)}`);
    await settled(page);
    await picture(page, 'consent.en.light.1280');
    await page.getByLabel('Limit').fill('1.50');
    await page.getByRole('button', { name: 'Give it the key' }).click();
    await page.waitForURL((address) => address.href.startsWith(callback));
    const code = new URL(page.url()).searchParams.get('code');
    const trade = () =>
      fetch(`${gateway.url}/api/v1/auth/keys`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code, code_verifier: verifier, code_challenge_method: 'S256' }),
      });
    const traded = await trade();
    assert.equal(traded.status, 200, await traded.clone().text());
    assert.equal((await trade()).status, 403, 'a code works once');
    const { key } = await traded.json();
    const answered = await chat(gateway.url, key, 'demo/quick');
    assert.equal(answered.status, 200, await answered.text());
    await context.close();
    program.close();
  });
});
