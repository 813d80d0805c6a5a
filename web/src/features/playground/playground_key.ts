// Which key the playground's answers are charged to: one pasted for this tab, or one made for a signed-in person.
//
// A key's secret is told once, when it is made, so a tab that has none makes one of its own: named “Playground”, listed
// under Keys like any other, ending by itself after a day. One that has ended, or that somebody disabled, is replaced.

import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { appPath, keysQuery } from '../../api/app_queries';
import type { Key } from '../../api/app_types';
import { call } from '../../api/client';
import { isUsable, useKey } from '../key/store';
import { KEY_MAKERS, useViewer } from '../session/store';

const DAY_MS = 86_400_000;
const NAME = 'Playground';

export interface KeySource {
  get: () => Promise<string>;
  /** Another key instead of one that the gateway refused; null when that was pasted and only its owner has another. */
  replace: (refused: string) => Promise<string | null>;
}

export interface PlaygroundKey extends KeySource {
  /** Whether there is a key, or one can be made without asking. */
  ready: boolean;
  /** The name of the account that pays, when it is known. */
  account: string | null;
}

export function usePlaygroundKey(): PlaygroundKey {
  const { key, made } = useKey();
  const viewer = useViewer();
  const queries = useQueryClient();
  const account = viewer?.is(...KEY_MAKERS) ? viewer.account : null;
  const id = account?.id ?? null;
  const source = useMemo(() => keySource(id, queries), [id, queries]);
  const pasted = key !== '' && made === null;
  return {
    ...source,
    ready: pasted || account !== null,
    account: pasted ? null : (account?.name ?? null),
  };
}

/** The keys of an account that pays; of none, only one that was pasted. */
export function keySource(account: string | null, queries: QueryClient): KeySource {
  // Several models asked at once are refused at once, and one key is enough for all of them.
  let making: Promise<string> | null = null;
  const get = async () => {
    const { key, made } = useKey.getState();
    // A key made for another account must not pay for this one.
    if (key !== '' && (made === null || isUsable(made, account, Date.now()))) return key;
    if (account === null) return '';
    making ??= make(account, queries).finally(() => {
      making = null;
    });
    return making;
  };
  const replace = async (refused: string) => {
    const { key, made, forget } = useKey.getState();
    if (account === null || (key === refused && made === null)) return null;
    if (key === refused) forget();
    return get();
  };
  return { get, replace };
}

async function make(account: string, queries: QueryClient): Promise<string> {
  const expiresAt = new Date(Date.now() + DAY_MS).toISOString();
  const { key = '', hash } = await call<Key>('POST', appPath(account, '/keys'), { name: NAME, expires_at: expiresAt });
  queries.invalidateQueries({ queryKey: keysQuery(account).queryKey });
  useKey.getState().use(key, { account, hash, expiresAt });
  return key;
}
