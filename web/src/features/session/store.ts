// Who is looking: the session from the query cache, and which of the accounts they work in.

import { useQuery } from '@tanstack/react-query';
import { create } from 'zustand';
import { sessionQuery } from '../../api/app_queries';
import type { Role, Session } from '../../api/app_types';

const STORAGE_KEY = 'tollgate.account';

interface AccountChoice {
  id: string | null;
  choose: (id: string) => void;
}

/** The account worked in: remembered by this browser. */
export const useAccountChoice = create<AccountChoice>((set) => ({
  id: localStorage.getItem(STORAGE_KEY),
  choose: (id) => {
    localStorage.setItem(STORAGE_KEY, id);
    set({ id });
  },
}));

export interface Viewer {
  session: Session;
  account: Session['accounts'][number] | null;
  isAdmin: boolean;
  /** Whether the viewer has one of the roles in the account worked in. */
  is: (...roles: Role[]) => boolean;
}

export function viewerOf(session: Session | null | undefined, chosen: string | null): Viewer | null {
  if (!session) return null;
  const account = session.accounts.find(({ id }) => id === chosen) ?? session.accounts[0] ?? null;
  return {
    session,
    account,
    isAdmin: session.user.is_platform_admin,
    is: (...roles) => account !== null && roles.includes(account.role),
  };
}

/** Null when nobody is signed in or that is not yet known. */
export function useViewer(): Viewer | null {
  const session = useQuery(sessionQuery);
  const chosen = useAccountChoice((state) => state.id);
  return viewerOf(session.data, chosen);
}

export const MANAGERS: readonly Role[] = ['owner', 'admin'];
export const MONEY_READERS: readonly Role[] = ['owner', 'admin', 'finance'];
/** Roles that may make keys of their own. */
export const KEY_MAKERS: readonly Role[] = ['owner', 'admin', 'member'];
/** Those who see single requests; analysts see sums. */
export const REQUEST_READERS: readonly Role[] = ['owner', 'admin', 'member', 'finance'];
