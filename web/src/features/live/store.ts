// Whether numbers on the page are being kept up to date, and how.

import { create } from 'zustand';
import type { LiveStatus } from './connection';

interface LiveState {
  status: LiveStatus;
  set: (status: LiveStatus) => void;
}

export const useLiveStatus = create<LiveState>((set) => ({
  status: 'connecting',
  set: (status) => set({ status }),
}));

const POLL_MS = 10_000;

/** For a query that live messages keep fresh: how often to ask while they do not come. */
export function useLiveInterval(): number | false {
  return useLiveStatus((state) => (state.status === 'live' ? false : POLL_MS));
}
