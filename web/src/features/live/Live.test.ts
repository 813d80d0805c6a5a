import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import type { Account, GenerationRow } from '../../api/app_types';
import type { LiveMessage } from './connection';
import { apply } from './Live';

const row = (id: string, created_at: string) => ({ id, created_at }) as GenerationRow;
const pages = (...rows: GenerationRow[]) => ({ pages: [{ data: rows, next_cursor: null }], pageParams: [null] });

it('puts a balance into the account it belongs to, and into no other', () => {
  const queries = new QueryClient();
  const account = { id: 'a', name: 'A', balance: '5', pending: '0', held: '0', available: '5' } as Account;
  queries.setQueryData(['account', 'a'], account);
  const balance = { balance: '4', pending: '0', held: '1', available: '3', at: '2026-11-24T00:00:00Z' };
  expect(apply(queries, { kind: 'balance', seq: 1, account_id: 'a', ...balance })).toBe(true);
  expect(apply(queries, { kind: 'balance', seq: 1, account_id: 'a', ...balance, held: '1' })).toBe(false);
  apply(queries, { kind: 'balance', seq: 2, account_id: 'b', ...balance });
  expect(queries.getQueryData(['account', 'a'])).toEqual({ ...account, balance: '4', held: '1', available: '3' });
  expect(queries.getQueryData(['account', 'b'])).toBeUndefined();
});

it('puts a request on top of the list once, however often it is told', () => {
  const queries = new QueryClient();
  const list = ['generations', 'a', {}];
  const filtered = ['generations', 'a', { status: 'error' }];
  queries.setQueryData(list, pages(row('1', 'x')));
  queries.setQueryData(filtered, pages(row('0', 'x')));
  for (let times = 0; times < 2; times++)
    apply(queries, { kind: 'activity', seq: times, account_id: 'a', row: row('2', 'y') } as LiveMessage);
  expect(queries.getQueryData<ReturnType<typeof pages>>(list)?.pages[0]?.data.map(({ id }) => id)).toEqual(['2', '1']);
  // Whether it fits a filter is the server's to say.
  expect(queries.getQueryState(filtered)?.isInvalidated).toBe(true);
});
