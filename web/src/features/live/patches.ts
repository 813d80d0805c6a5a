// What live messages change in the query cache.

import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import type { Account, GenerationRow } from '../../api/app_types';
import type { Page } from '../../api/client';
import type { LiveMessage } from './connection';

type Rows = InfiniteData<Page<GenerationRow>>;

/** A page left open all night must not grow all night. */
export const MOST_IN_FIRST_PAGE = 200;

/** Puts messages into the cache, those of a frame together. Says whether sums may be others now. */
export function apply(queries: QueryClient, messages: readonly LiveMessage[]): boolean {
  let changesSums = false;
  const rows = new Map<string, Map<string, GenerationRow>>();
  for (const message of messages) {
    if (message.kind === 'balance') {
      changesSums = setBalance(queries, message) || changesSums;
    } else if (message.kind === 'activity') {
      changesSums = true;
      if (!message.row) continue;
      const row = message.row as GenerationRow;
      const ofAccount = rows.get(message.account_id) ?? new Map<string, GenerationRow>();
      // Told again it goes on top again.
      ofAccount.delete(row.id);
      rows.set(message.account_id, ofAccount.set(row.id, row));
    } else if (message.kind === 'channel_health') {
      queries.invalidateQueries({ queryKey: ['admin', 'channels'] });
    }
  }
  for (const [account, ofAccount] of rows) addGenerations(queries, account, [...ofAccount.values()].reverse());
  return changesSums;
}

function setBalance(queries: QueryClient, message: Extract<LiveMessage, { kind: 'balance' }>): boolean {
  const { balance, pending, held, available } = message;
  const key = ['account', message.account_id];
  const before = queries.getQueryData<Account>(key)?.balance;
  patch<Account>(queries, key, (account) => ({ ...account, balance, pending, held, available }));
  // Booked: a charge, or a credit that no request announces.
  return before !== balance;
}

/** Onto the first page of an unfiltered list; a filtered one is asked for again. */
function addGenerations(queries: QueryClient, account: string, rows: readonly GenerationRow[]): void {
  for (const [key] of queries.getQueriesData<Rows>({ queryKey: ['generations', account] })) {
    const filters = Object.values((key[2] ?? {}) as Record<string, unknown>).filter((value) => value !== undefined);
    if (filters.length > 0) queries.invalidateQueries({ queryKey: key });
    else {
      patch<Rows>(queries, key, (data) => withRows(data, rows));
      // What was cut off is found again by asking: the cursor to the next page is behind it.
      const length = queries.getQueryData<Rows>(key)?.pages[0]?.data.length ?? 0;
      if (length === MOST_IN_FIRST_PAGE) queries.invalidateQueries({ queryKey: key, exact: true });
    }
  }
  for (const { id } of rows) queries.invalidateQueries({ queryKey: ['generation-detail', id] });
}

function withRows(data: Rows, rows: readonly GenerationRow[]): Rows {
  const told = new Set(rows.map(({ id }) => id));
  const pages = data.pages.map((page) => ({ ...page, data: page.data.filter(({ id }) => !told.has(id)) }));
  const [first, ...rest] = pages;
  if (!first) return data;
  return { ...data, pages: [{ ...first, data: [...rows, ...first.data].slice(0, MOST_IN_FIRST_PAGE) }, ...rest] };
}

/**
 * Changes an answer. One that is on its way was perhaps read before this happened, and would undo it: it is asked for
 * again.
 */
function patch<T>(queries: QueryClient, queryKey: readonly unknown[], change: (data: T) => T): void {
  const query = queries.getQueryCache().find({ queryKey, exact: true });
  const again = () => queries.invalidateQueries({ queryKey, exact: true });
  const isFetching = query?.state.fetchStatus === 'fetching';
  queries.setQueryData<T>(queryKey, (data) => data && change(data));
  if (!isFetching) return;
  if (query.state.data !== undefined) again();
  // The first answer is waited for: nothing cuts it short, and it would take the mark off again.
  else query.promise?.then(again, () => {});
}
