// The API key of this tab, pasted or made for it: never kept in a place that outlives the tab.

import { create } from 'zustand';

const STORAGE_KEY = 'tollgate.api_key';
const ACCOUNT_KEY = 'tollgate.api_key_account';
const PATTERN = /^sk-tg-v1-[0-9a-zA-Z]{64}$/;

interface KeyStore {
  /** Empty when there is none. */
  key: string;
  /** The account it was made for by this app; null when it was pasted. */
  account: string | null;
  use: (key: string, account?: string) => void;
  forget: () => void;
}

export function isKey(text: string): boolean {
  return PATTERN.test(text);
}

export const useKey = create<KeyStore>((set) => ({
  key: sessionStorage.getItem(STORAGE_KEY) ?? '',
  account: sessionStorage.getItem(ACCOUNT_KEY),
  use: (key, account) => {
    sessionStorage.setItem(STORAGE_KEY, key);
    if (account === undefined) sessionStorage.removeItem(ACCOUNT_KEY);
    else sessionStorage.setItem(ACCOUNT_KEY, account);
    set({ key, account: account ?? null });
  },
  forget: () => {
    sessionStorage.removeItem(STORAGE_KEY);
    sessionStorage.removeItem(ACCOUNT_KEY);
    set({ key: '', account: null });
  },
}));
