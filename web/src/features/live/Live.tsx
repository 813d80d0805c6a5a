// Feeds what the gateway says into the query cache. Draws nothing.

import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { connectLive, type LiveMessage } from './connection';
import { apply } from './patches';
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
    const sums = batched(SUMS_EVERY_MS, () => refresh(queries, SUMS));
    let told: LiveMessage[] = [];
    const drawn = batched(FRAME_MS, () => {
      const messages = told;
      told = [];
      if (apply(queries, messages)) sums.soon();
    });
    const disconnect = connectLive(`${scheme}://${window.location.host}/api/app/live`, account, {
      onStatus: setStatus,
      onGap: () => refresh(queries, LIVE_QUERIES),
      onMessage: (message) => {
        told.push(message);
        drawn.soon();
      },
    });
    return () => {
      drawn.cancel();
      sums.cancel();
      disconnect();
      setStatus('connecting');
    };
  }, [account, queries, setStatus]);
  return null;
}

function refresh(queries: QueryClient, names: readonly string[]): void {
  queries.invalidateQueries({ predicate: (query) => names.includes(String(query.queryKey[0])) });
}

/** Sums over many requests are asked for again at most this often, however many requests there are. */
const SUMS_EVERY_MS = 2_000;
/** What comes within a frame is drawn together. A timer, because a page that is hidden draws no frames. */
const FRAME_MS = 16;

function batched(everyMs: number, run: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    soon: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        run();
      }, everyMs);
    },
    cancel: () => clearTimeout(timer),
  };
}
