import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Account } from '../../api/app_types';
import { loadPageTexts, startTranslation } from '../../i18n';
import { AccountLimits } from './AccountLimits';

beforeAll(async () => {
  await startTranslation();
  await loadPageTexts();
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it('sends what stands in the fields, and null for an empty one', async () => {
  const fetched = vi.fn(async (_path: string, _init: RequestInit) => new Response('{"data":{}}'));
  vi.stubGlobal('fetch', fetched);
  const account = { id: 'acct_1', rpm: 60, tpm: null, concurrency: null } as Account;
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <AccountLimits account={account} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const user = userEvent.setup();
  await user.clear(screen.getByLabelText('Requests a minute'));
  await user.type(screen.getByLabelText('Tokens a minute'), '100000');
  await user.type(screen.getByLabelText('Requests at once'), '4');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await waitFor(() => expect(fetched).toHaveBeenCalled());
  const [path, init] = fetched.mock.calls[0] ?? ['', {}];
  expect([path, init.method]).toEqual(['/api/app/admin/accounts/acct_1', 'PATCH']);
  expect(JSON.parse(String(init.body))).toEqual({ rpm: null, tpm: 100000, concurrency: 4 });
});
