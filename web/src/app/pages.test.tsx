// The pages against answers as the gateway gives them, rendered whole: routes, queries, translation.

import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import i18next from 'i18next';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { useKey } from '../features/key/store';
import { chooseLanguage, startTranslation } from '../i18n';
import { Providers } from './App';
import { createAppRouter } from './router';

const KEY = `sk-tg-v1-${'ab01'.repeat(16)}`;
const MODELS =
  '{"data":[{"id":"acme/one","name":"One","created":1,"context_length":128000,"pricing":{"prompt":"0.00000015","completion":"0.0000006"}},' +
  '{"id":"acme/two","name":"Two","created":2,"context_length":8192,"pricing":{"prompt":"0","completion":"0"}}]}';
const STREAM =
  'data: {"id":"gen-7","model":"acme/one","provider":"Acme","choices":[{"delta":{"content":"Hello"},"finish_reason":null}]}\n\n' +
  'data: {"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.000001050}}\n\n' +
  'data: [DONE]\n\n';
const REFUSAL = '{"error":{"code":402,"message":"needs $1","metadata":{"error_type":"payment_required"}}}';

type Answers = Record<string, { status?: number; body: string }>;

/** Answers by path; anything else is a 404 in the envelope. */
function gateway(answers: Answers): ReturnType<typeof vi.fn> {
  const fetched = vi.fn(async (path: string) => {
    const found = answers[path.split('?')[0] ?? ''];
    return new Response(found?.body ?? '{"error":{"code":404,"message":"not found"}}', {
      status: found ? (found.status ?? 200) : 404,
    });
  });
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

function open(path: string) {
  const router = createAppRouter(createMemoryHistory({ initialEntries: [path] }));
  render(
    <Providers>
      <RouterProvider router={router} />
    </Providers>,
  );
  return { user: userEvent.setup(), router };
}

beforeAll(() => startTranslation());
beforeEach(() => useKey.getState().forget());
afterEach(async () => {
  cleanup();
  vi.unstubAllGlobals();
  await chooseLanguage('en');
});

describe('models', () => {
  it('show exact prices per million and are found by searching', async () => {
    gateway({ '/api/v1/models': { body: MODELS } });
    const { user, router } = open('/models');
    const one = await screen.findByRole('article', { name: 'One' });
    expect(within(one).getByText('$0.15')).toBeDefined();
    expect(within(one).getByText('$0.60')).toBeDefined();
    expect(within(screen.getByRole('article', { name: 'Two' })).getAllByText('Free')).toHaveLength(2);
    await user.type(screen.getByRole('textbox', { name: /Search/ }), 'two');
    await waitFor(() => expect(screen.queryByRole('article', { name: 'One' })).toBeNull());
    expect(router.state.location.search).toEqual({ q: 'two' });
  });

  it('say what to do when there are none', async () => {
    gateway({ '/api/v1/models': { body: '{"data":[]}' } });
    open('/models');
    expect(await screen.findByText(/docs\/configuration\.md/)).toBeDefined();
  });

  it('can be asked for again when the gateway refused', async () => {
    gateway({ '/api/v1/models': { status: 403, body: '{"error":{"code":403,"message":"closed"}}' } });
    const { user } = open('/models');
    expect(await screen.findByText('closed')).toBeDefined();
    gateway({ '/api/v1/models': { body: MODELS } });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('article', { name: 'One' })).toBeDefined();
  });
});

describe('the key', () => {
  it('is checked, used for its balance, and forgotten', async () => {
    const fetched = gateway({
      '/api/v1/key': { body: '{"data":{"label":"sk-…","limit":null,"limit_remaining":null,"usage":0.1}}' },
      '/api/v1/credits': { body: '{"data":{"total_credits":10,"total_usage":0.100000001}}' },
    });
    const { user } = open('/key');
    const field = await screen.findByLabelText('API key');
    await user.type(field, 'sk-nope');
    await user.click(screen.getByRole('button', { name: 'Use this key' }));
    expect(screen.getByText(/64 letters and digits/)).toBeDefined();
    await user.clear(field);
    await user.click(field);
    await user.paste(KEY);
    await user.click(screen.getByRole('button', { name: 'Use this key' }));
    expect(await screen.findByText('$9.899999999')).toBeDefined();
    const asked = fetched.mock.calls.find(([path]) => path === '/api/v1/key');
    expect(asked?.[1]?.headers).toEqual({ authorization: `Bearer ${KEY}` });
    await user.click(screen.getByRole('button', { name: 'Forget it' }));
    expect(screen.getByText('No key yet')).toBeDefined();
    expect(sessionStorage.length).toBe(0);
  });
});

describe('the playground', () => {
  it('streams an answer and shows what it cost', async () => {
    useKey.getState().use(KEY);
    gateway({ '/api/v1/models': { body: MODELS }, '/api/v1/chat/completions': { body: STREAM } });
    const { user } = open('/playground?models=acme/one');
    await user.type(await screen.findByRole('textbox', { name: 'Message' }), 'Hi{Enter}');
    expect(await screen.findByText('Hello')).toBeDefined();
    expect((await screen.findAllByText('$0.00000105')).length).toBe(2);
    expect(screen.getByRole('link', { name: 'gen-7' }).getAttribute('href')).toBe('/key?generation=gen-7');
  });

  it('explains a refusal', async () => {
    useKey.getState().use(KEY);
    gateway({ '/api/v1/models': { body: MODELS }, '/api/v1/chat/completions': { status: 402, body: REFUSAL } });
    const { user } = open('/playground?models=acme/one');
    await user.type(await screen.findByRole('textbox', { name: 'Message' }), 'Hi{Enter}');
    expect(await screen.findByText('The balance does not cover this request.')).toBeDefined();
    expect(screen.getByText('needs $1')).toBeDefined();
  });
});

describe('the first page', () => {
  it('shows a first request to this very gateway, in the language chosen', async () => {
    gateway({ '/api/v1/models': { body: MODELS } });
    open('/');
    const code = await screen.findByRole('region', { name: /curl/ });
    expect(code.textContent).toContain(`curl ${window.location.origin}/api/v1/chat/completions`);
    expect(await screen.findByText('2 models on offer right now')).toBeDefined();
    await chooseLanguage('zh-CN');
    expect(await screen.findByText('当前提供 2 个模型')).toBeDefined();
    expect(document.documentElement.lang).toBe(i18next.language);
  });
});

it('an address that is no page leads back', async () => {
  gateway({});
  open('/nowhere');
  expect((await screen.findByRole('link', { name: 'Go to the start page' })).getAttribute('href')).toBe('/');
});

it('a page for signed-in people leads to the sign-in page and remembers where somebody wanted to go', async () => {
  gateway({ '/auth/providers': { body: '{"data":{"password":true,"sign_up":false,"providers":[]}}' } });
  const { router } = open('/settings/profile');
  expect(await screen.findByLabelText(/E-mail/)).toBeDefined();
  expect(router.state.location.search).toEqual({ return_to: '/settings/profile' });
});
