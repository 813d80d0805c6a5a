// Feeds what the gateway says into the query cache. Draws nothing.

import { type InfiniteData, type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Account, GenerationRow } from '../../api/app_types';
import type { Page } from '../../api/client';
import { connectLive, type LiveMessage } from './connection';
import { useLiveStatus } from './store';

/** What a request or a credit changes beyond its own row. */
const SUMS = ['activity', 'transactions', 'keys'];

/** What live messages keep fresh; asked for again when some were missed. */
const LIVE_QUERIES = ['account', 'generations', 'activity', 'transactions', 'keys', 'admin'];

export function Live({ account }: { account: string }) {
  const queries = useQueryClient();
  const setStatus = useLiveStatus((state) => state.set);
  useEffect(() => {
    const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
    const later = batched(() => refresh(queries, SUMS));
    const disconnect = connectLive(`${scheme}://${window.location.host}/api/app/live`, account, {
      onStatus: setStatus,
      onGap: () => refresh(queries, LIVE_QUERIES),
      onMessage: (message) => {
        if (apply(queries, message)) later.soon();
      },
    });
    return () => {
      later.cancel();
      disconnect();
      setStatus('connecting');
    };
  }, [account, queries, setStatus]);
  return null;
}

/** Says whether sums may be others now. */
export function apply(queries: QueryClient, message: LiveMessage): boolean {
  if (message.kind === 'balance') {
    const { balance, pending, held, available } = message;
    const key = ['account', message.account_id];
    const before = queries.getQueryData<Account>(key)?.balance;
    queries.setQueryData<Account>(key, (account) => account && { ...account, balance, pending, held, available });
    // Booked: a charge, or a credit that no request announces.
    return before !== balance;
  }
  if (message.kind === 'activity') {
    if (message.row) addGeneration(queries, message.account_id, message.row as GenerationRow);
    return true;
  }
  if (message.kind === 'channel_health') queries.invalidateQueries({ queryKey: ['admin', 'channels'] });
  return false;
}

/** Onto the first page of an unfiltered list; a filtered one is asked for again. */
function addGeneration(queries: QueryClient, account: string, row: GenerationRow): void {
  for (const [key, data] of queries.getQueriesData<InfiniteData<Page<GenerationRow>>>({
    queryKey: ['generations', account],
  })) {
    const filters = Object.values((key[2] ?? {}) as Record<string, unknown>).filter((value) => value !== undefined);
    if (filters.length > 0) queries.invalidateQueries({ queryKey: key });
    else if (data) queries.setQueryData(key, withRow(data, row));
  }
  queries.invalidateQueries({ queryKey: ['generation-detail', row.id] });
}

function withRow(data: InfiniteData<Page<GenerationRow>>, row: GenerationRow): InfiniteData<Page<GenerationRow>> {
  const pages = data.pages.map((page) => ({ ...page, data: page.data.filter(({ id }) => id !== row.id) }));
  const [first, ...rest] = pages;
  return first ? { ...data, pages: [{ ...first, data: [row, ...first.data] }, ...rest] } : data;
}

function refresh(queries: QueryClient, names: readonly string[]): void {
  queries.invalidateQueries({ predicate: (query) => names.includes(String(query.queryKey[0])) });
}

const AT_MOST_EVERY_MS = 2_000;

/** Sums over many requests are asked for again at most every two seconds, however many requests there are. */
function batched(run: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    soon: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        run();
      }, AT_MOST_EVERY_MS);
    },
    cancel: () => clearTimeout(timer),
  };
}
