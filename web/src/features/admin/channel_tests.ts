// How the last test of each channel went, as this browser saw it: the gateway keeps none. Survives a reload.

import { create } from 'zustand';
import { persist } from 'zustand/middleware';
import type { ChannelTest } from '../../api/app_types';

export interface TestResult {
  /** When it ended, ISO 8601. */
  at: string;
  ok: boolean;
  latency_ms: number;
  model: string;
  error: string | null;
}

/** Channels that are long gone would otherwise stay for ever. */
const MOST_KEPT = 100;
const LONGEST_ERROR = 300;

interface ChannelTests {
  results: Readonly<Record<string, TestResult>>;
  keep: (channel: string, test: ChannelTest, at?: Date) => void;
}

export const useChannelTests = create<ChannelTests>()(
  persist(
    (set) => ({
      results: {},
      keep: (channel, test, at = new Date()) =>
        set(({ results: { [channel]: _, ...others } }) => ({
          // The newest stands last, so that the oldest goes first.
          results: Object.fromEntries([...Object.entries(others), [channel, asResult(test, at)]].slice(-MOST_KEPT)),
        })),
    }),
    { name: 'tollgate.channel-tests', partialize: ({ results }) => ({ results }) },
  ),
);

function asResult(test: ChannelTest, at: Date): TestResult {
  return {
    at: at.toISOString(),
    ok: test.ok,
    latency_ms: test.latency_ms,
    model: test.model,
    error: test.error?.message.slice(0, LONGEST_ERROR) ?? null,
  };
}
