// Which key the playground's answers are charged to: one pasted for this tab, or one made for a signed-in person.
//
// A key's secret is told once, when it is made, so a tab that has none makes one of its own: named “Playground”, listed
// under Keys like any other, ending by itself after a day.

import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { appPath, keysQuery } from '../../api/app_queries';
import type { Key } from '../../api/app_types';
import { call } from '../../api/client';
import { useKey } from '../key/store';
import { KEY_MAKERS, useViewer } from '../session/store';

const DAY_MS = 86_400_000;
const NAME = 'Playground';

export interface PlaygroundKey {
  /** Whether there is a key, or one can be made without asking. */
  ready: boolean;
  /** The name of the account that pays, when it is known. */
  account: string | null;
  get: () => Promise<string>;
}

export function usePlaygroundKey(): PlaygroundKey {
  const { key, account: keyAccount, use } = useKey();
  const viewer = useViewer();
  const queries = useQueryClient();
  const account = viewer?.is(...KEY_MAKERS) ? viewer.account : null;
  // A key made for another account must not pay for this one.
  const usable = key !== '' && (keyAccount === null || keyAccount === account?.id);
  const get = useCallback(async () => {
    if (usable || account === null) return key;
    const made = await call<Key>('POST', appPath(account.id, '/keys'), {
      name: NAME,
      expires_at: new Date(Date.now() + DAY_MS).toISOString(),
    });
    queries.invalidateQueries({ queryKey: keysQuery(account.id).queryKey });
    use(made.key ?? '', account.id);
    return made.key ?? '';
  }, [account, key, queries, usable, use]);
  return {
    ready: usable || account !== null,
    account: usable && keyAccount === null ? null : (account?.name ?? null),
    get,
  };
}
