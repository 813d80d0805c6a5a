// The page of provider costs, rendered whole against answers as the gateway gives them.

import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Providers } from '../../app/App';
import { createAppRouter } from '../../app/router';
import { startTranslation } from '../../i18n';

const PATH = '/finance/provider-costs?from=2026-10-01&to=2026-10-31';
const session = (is_platform_admin: boolean) => ({
  user: { id: 'u', email: 'a@example.com', name: 'A', is_platform_admin, has_password: true },
  accounts: [{ id: 'acct_1', name: 'Acme', role: 'owner', status: 'active' }],
  preferences: { theme: 'light', language: 'en', default_model: null, routing_strategy: 'weighted_random' },
  csrf_token: 't',
  expires_at: '2026-12-01T00:00:00Z',
});

const tokens = (input: number, output: number) =>
  `{"uncached_input":${input},"cache_read":0,"cache_write_5m":0,"cache_write_1h":0,"image_input":0,"audio_input":0,` +
  `"text_output":${output},"reasoning":0,"image_output":0,"audio_output":0}`;
const row = (channel: string, provider: string, model: string, cost: string, more = '"unknown_requests":0') =>
  `{"period":"2026-10","channel":"${channel}","provider":"${provider}","model":"${model}","requests":1200,` +
  `"estimated_requests":0,${more},"tokens":${tokens(12345, 678)},"cost":${cost},"estimated_cost":0}`;
const report = (rows: string[], difference = '0') =>
  `{"data":{"from":"2026-10-01","to":"2026-10-31","by":"month","currency":"USD","rows":[${rows.join()}],"total":` +
  `{"requests":0,"estimated_requests":0,"unknown_requests":0,"tokens":${tokens(0, 0)},"cost":0,"estimated_cost":0},` +
  `"books":{"provider_cost":9000000000.223456789,"difference":${difference}},"invoice":null}}`;
const ROWS = [
  row('main', 'openai', 'openai/gpt', '9000000000.123456789'),
  row('claude', 'anthropic', 'anthropic/claude', '0.1', '"unknown_requests":2'),
];

function gateway(answer: { status?: number; body: string; isAdmin?: boolean }) {
  const fetched = vi.fn(async (path: string, _init?: RequestInit) => {
    if (path === '/api/app/session') return new Response(JSON.stringify({ data: session(answer.isAdmin ?? true) }));
    if (!path.startsWith('/api/app/admin/provider-costs')) return new Response('{}', { status: 404 });
    return new Response(answer.body, { status: answer.status ?? 200 });
  });
  vi.stubGlobal('fetch', fetched);
  return {
    asked: () => fetched.mock.calls.filter(([path]) => path.startsWith('/api/app/admin/provider-costs')),
  };
}

function open(path = PATH) {
  const router = createAppRouter(createMemoryHistory({ initialEntries: [path] }));
  render(
    <Providers>
      <RouterProvider router={router} />
    </Providers>,
  );
  return { user: userEvent.setup(), router };
}

beforeAll(() => startTranslation());
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

describe('provider costs', () => {
  it('are asked for as whoever is signed in', async () => {
    const { asked } = gateway({ body: report(ROWS) });
    open();
    await screen.findByRole('table');
    expect(asked().map(([path]) => path)).toEqual([
      '/api/app/admin/provider-costs?from=2026-10-01&to=2026-10-31&by=month',
    ]);
    expect(asked()[0]?.[1]?.headers).not.toHaveProperty('authorization');
  });

  it('are not asked for by who does not administer the platform', async () => {
    const { asked } = gateway({ body: report(ROWS), isAdmin: false });
    open();
    expect(await screen.findByText(/administrators of the platform/)).toBeDefined();
    expect(asked()).toHaveLength(0);
  });

  it('show every digit, and the sum of what is chosen', async () => {
    gateway({ body: report(ROWS) });
    const { user, router } = open();
    const table = await screen.findByRole('table');
    expect(table.textContent).toContain('$9,000,000,000.123456789');
    expect(within(table).getAllByText('12,345')).toHaveLength(2);
    const figure = () => screen.getByText('Should be invoiced').parentElement?.textContent;
    expect(figure()).toContain('$9,000,000,000.223456789');
    await user.selectOptions(screen.getByRole('combobox', { name: 'Provider' }), 'anthropic');
    await waitFor(() => expect(figure()).toContain('$0.10'));
    expect(router.state.location.search).toEqual({ from: '2026-10-01', to: '2026-10-31', provider: 'anthropic' });
  });

  it('compare an invoice exactly, and say where to look', async () => {
    gateway({ body: report(ROWS) });
    const { user, router } = open(`${PATH}&provider=anthropic`);
    const field = await screen.findByLabelText(/Amount of the invoice/);
    await user.type(field, '1,00');
    expect(screen.getByText(/Enter an amount such as/)).toBeDefined();
    await user.clear(field);
    await user.type(field, '$0.10');
    expect(screen.getByText(/to the last digit/)).toBeDefined();
    await user.clear(field);
    await user.type(field, '0.135');
    expect(screen.getByText('The invoice is $0.035 too high (35%)')).toBeDefined();
    expect(screen.getByText(/The cost of 2 requests is not known/)).toBeDefined();
    await waitFor(() => expect(router.state.location.search).toMatchObject({ invoiced: '0.135' }));
  });

  it('say whether the ledger agrees', async () => {
    gateway({ body: report(ROWS) });
    open();
    expect(await screen.findByText(/Proven: the ledger posted \$9,000,000,000\.223456789/)).toBeDefined();
    cleanup();
    gateway({ body: report(ROWS, '0.000000001') });
    open();
    expect(await screen.findByText('The report is not complete yet')).toBeDefined();
    expect(screen.getByText(/differs by \$0\.000000001/)).toBeDefined();
  });

  it('are taken home as a table of what is chosen', async () => {
    gateway({ body: report(ROWS) });
    open(`${PATH}&provider=openai&by=day`);
    const csv = await screen.findByRole('link', { name: 'CSV' });
    expect(csv.getAttribute('href')).toBe(
      '/api/app/admin/provider-costs?from=2026-10-01&to=2026-10-31&by=day&provider=openai&format=csv',
    );
    expect(csv.hasAttribute('download')).toBe(true);
  });

  it('say what is wrong with days, and that there was nothing in them', async () => {
    const { asked } = gateway({ body: report([]) });
    open('/finance/provider-costs?from=2026-10-02&to=2026-10-01');
    expect(await screen.findByText('The first day is after the last one.')).toBeDefined();
    expect(screen.getByRole('button', { name: 'CSV' }).hasAttribute('disabled')).toBe(true);
    expect(asked()).toHaveLength(0);
    cleanup();
    open();
    expect(await screen.findByText('No costs in these days')).toBeDefined();
  });

  it('can be asked for again when the gateway failed', async () => {
    gateway({ status: 400, body: '{"error":{"code":400,"message":"statistics are away"}}' });
    const { user } = open();
    expect(await screen.findByText('statistics are away')).toBeDefined();
    gateway({ body: report(ROWS) });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('table')).toBeDefined();
  });
});
