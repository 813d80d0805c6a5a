import { QueryClient } from '@tanstack/react-query';
import { expect, it, vi } from 'vitest';
import type { Account, GenerationRow } from '../../api/app_types';
import type { LiveMessage } from './connection';
import { apply, MOST_IN_FIRST_PAGE } from './patches';

const row = (id: string, created_at: string) => ({ id, created_at }) as GenerationRow;
const told = (id: string) => ({ kind: 'activity', seq: 1, account_id: 'a', row: row(id, 'y') }) as LiveMessage;
const pages = (...rows: GenerationRow[]) => ({ pages: [{ data: rows, next_cursor: null }], pageParams: [null] });

it('puts a balance into the account it belongs to, and into no other', () => {
  const queries = new QueryClient();
  const account = { id: 'a', name: 'A', balance: '5', pending: '0', held: '0', available: '5' } as Account;
  queries.setQueryData(['account', 'a'], account);
  const balance = { balance: '4', pending: '0', held: '1', available: '3', at: '2026-11-24T00:00:00Z' };
  expect(apply(queries, [{ kind: 'balance', seq: 1, account_id: 'a', ...balance }])).toBe(true);
  expect(apply(queries, [{ kind: 'balance', seq: 1, account_id: 'a', ...balance, held: '1' }])).toBe(false);
  apply(queries, [{ kind: 'balance', seq: 2, account_id: 'b', ...balance }]);
  expect(queries.getQueryData(['account', 'a'])).toEqual({ ...account, balance: '4', held: '1', available: '3' });
  expect(queries.getQueryData(['account', 'b'])).toBeUndefined();
});

it('puts a request on top of the list once, however often it is told', () => {
  const queries = new QueryClient();
  const list = ['generations', 'a', {}];
  const filtered = ['generations', 'a', { status: 'error' }];
  queries.setQueryData(list, pages(row('1', 'x')));
  queries.setQueryData(filtered, pages(row('0', 'x')));
  for (let times = 0; times < 2; times++) apply(queries, [told('2'), told('2')]);
  expect(queries.getQueryData<ReturnType<typeof pages>>(list)?.pages[0]?.data.map(({ id }) => id)).toEqual(['2', '1']);
  // Whether it fits a filter is the server's to say.
  expect(queries.getQueryState(filtered)?.isInvalidated).toBe(true);
});

it('puts the newest of a frame on top, and keeps a page that is open all night short', () => {
  const queries = new QueryClient();
  const list = ['generations', 'a', {}];
  queries.setQueryData(list, pages(row('0', 'x')));
  apply(queries, [told('1'), told('2')]);
  const shown = () => queries.getQueryData<ReturnType<typeof pages>>(list)?.pages[0]?.data.map(({ id }) => id) ?? [];
  expect(shown()).toEqual(['2', '1', '0']);
  expect(queries.getQueryState(list)?.isInvalidated).toBe(false);
  apply(
    queries,
    Array.from({ length: MOST_IN_FIRST_PAGE + 10 }, (_, place) => told(`n${place}`)),
  );
  expect(shown()).toHaveLength(MOST_IN_FIRST_PAGE);
  expect(shown()[0]).toBe(`n${MOST_IN_FIRST_PAGE + 9}`);
  // The rows that were cut off stand before the next page.
  expect(queries.getQueryState(list)?.isInvalidated).toBe(true);
});

it('asks again when an answer was on its way that may not know of it', async () => {
  const queries = new QueryClient();
  const key = ['account', 'a'];
  const answers = ['4', '3'];
  const ask = () => queries.fetchQuery({ queryKey: key, queryFn: async () => ({ id: 'a', balance: answers.shift() }) });
  queries.setQueryData(key, { id: 'a', balance: '5' });
  const asked = ask();
  const balance = { balance: '3', pending: '0', held: '0', available: '3', at: '2026-11-24T00:00:00Z' };
  apply(queries, [{ kind: 'balance', seq: 1, account_id: 'a', ...balance }]);
  expect(queries.getQueryState(key)?.isInvalidated).toBe(true);
  await asked.catch(() => {});
});

it('asks again when it was the first answer that was on its way', async () => {
  const queries = new QueryClient();
  const key = ['account', 'a'];
  const asked = queries.fetchQuery({ queryKey: key, queryFn: async () => ({ id: 'a', balance: '4' }) });
  const balance = { balance: '3', pending: '0', held: '0', available: '3', at: '2026-11-24T00:00:00Z' };
  apply(queries, [{ kind: 'balance', seq: 1, account_id: 'a', ...balance }]);
  await asked;
  await vi.waitFor(() => expect(queries.getQueryState(key)?.isInvalidated).toBe(true));
});
