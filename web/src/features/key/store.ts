// The API key of this tab, pasted or made for it: never kept in a place that outlives the tab.

import { create } from 'zustand';

const STORAGE_KEY = 'tollgate.api_key';
const MADE_KEY = 'tollgate.api_key_made';
const PATTERN = /^sk-tg-v1-[0-9a-zA-Z]{64}$/;
/** A key that ends sooner might end before what it is used for does. */
const LEAST_LEFT_MS = 60_000;

/** What is known of a key that this app made. */
export interface MadeKey {
  account: string;
  hash: string;
  expiresAt: string;
}

interface KeyStore {
  /** Empty when there is none. */
  key: string;
  /** Null when it was pasted. */
  made: MadeKey | null;
  use: (key: string, made?: MadeKey) => void;
  forget: () => void;
}

export function isKey(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether a key that was made for an account may still be used for it. */
export function isUsable(made: MadeKey, account: string | null, now: number): boolean {
  return made.account === account && Date.parse(made.expiresAt) - now > LEAST_LEFT_MS;
}

export const useKey = create<KeyStore>((set) => ({
  key: sessionStorage.getItem(STORAGE_KEY) ?? '',
  made: readMade(),
  use: (key, made) => {
    sessionStorage.setItem(STORAGE_KEY, key);
    if (made === undefined) sessionStorage.removeItem(MADE_KEY);
    else sessionStorage.setItem(MADE_KEY, JSON.stringify(made));
    set({ key, made: made ?? null });
  },
  forget: () => {
    sessionStorage.removeItem(STORAGE_KEY);
    sessionStorage.removeItem(MADE_KEY);
    set({ key: '', made: null });
  },
}));

/** For whoever disables or deletes a key, which may be the one this tab made for itself. */
export function forgetMadeKey(hash: string): void {
  const { made, forget } = useKey.getState();
  if (made?.hash === hash) forget();
}

function readMade(): MadeKey | null {
  try {
    return JSON.parse(sessionStorage.getItem(MADE_KEY) ?? 'null');
  } catch {
    return null;
  }
}
