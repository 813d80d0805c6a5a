// Prices of models as administrators see and set them.

import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Providers } from '../../app/App';
import { loadPageTexts, startTranslation } from '../../i18n';
import { ModelsSection } from './ModelsSection';

const EMBEDS = { prompt: '0.02', completion: '0' };
const TALKS = { prompt: '0.50', completion: '1.50' };
const offer = (prices: object) => ({
  channel_id: 'c',
  channel_name: 'main',
  price: prices,
  cost: prices,
  status: 'on',
});
const ANSWERS: Record<string, unknown> = {
  '/api/app/admin/models': [
    { id: 'a/embed', name: 'Embed', channels: [offer(EMBEDS)], price_versions: 1 },
    { id: 'a/talk', name: 'Talk', channels: [offer(TALKS)], price_versions: 1 },
  ],
  '/api/app/admin/channels': [
    {
      id: 'c',
      models: [
        { id: 'a/embed', output_modalities: ['embeddings'], price: EMBEDS },
        { id: 'a/talk', price: TALKS },
      ],
    },
  ],
  '/api/app/admin/price-versions': [
    {
      id: 'v',
      channel_id: 'c',
      model: 'a/embed',
      price: EMBEDS,
      cost: EMBEDS,
      effective_at: '2026-11-01T00:00:00Z',
      created_at: '2026-11-01T00:00:00Z',
      created_by: 'A',
    },
  ],
};

function open() {
  const fetched = vi.fn(async (path: string, _init?: RequestInit) =>
    Response.json({ data: ANSWERS[path.split('?')[0] ?? ''] ?? null }),
  );
  vi.stubGlobal('fetch', fetched);
  render(<ModelsSection />, { wrapper: Providers });
  return { user: userEvent.setup(), fetched };
}

beforeAll(async () => {
  await startTranslation();
  await loadPageTexts();
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it('show no price of output where a model embeds', async () => {
  open();
  const table = await screen.findByRole('table');
  const prices = (model: string) =>
    within(within(table).getByText(model).closest('tr') as HTMLElement)
      .getAllByText(/\$/)
      .map((cell) => cell.textContent);
  expect(prices('a/embed')).toEqual(['$0.02', '$0.02']);
  expect(prices('a/talk')).toEqual(['$0.50 / $1.50', '$0.50 / $1.50']);
});

it('ask for no price of output where a model embeds, and set it to nothing', async () => {
  const { user, fetched } = open();
  await user.click(await screen.findByRole('button', { name: 'Prices: a/embed' }));
  const input = await screen.findByLabelText(/^Input/);
  expect(screen.queryByLabelText(/^Output/)).toBeNull();
  expect(screen.queryByText('$0.02 / $0.00')).toBeNull();
  await user.clear(input);
  await user.type(input, '0.03');
  await user.click(screen.getByRole('button', { name: 'Set the price' }));
  const sent = () => fetched.mock.calls.find(([, init]) => init?.method === 'POST')?.[1]?.body;
  await waitFor(() => expect(sent()).toBeDefined());
  expect(JSON.parse(String(sent()))).toEqual({
    channel_id: 'c',
    model: 'a/embed',
    price: { prompt: '0.03', completion: '0' },
  });
});
