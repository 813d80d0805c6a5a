import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { connectLive, type LiveMessage, type LiveStatus } from './connection';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  close() {
    this.onclose?.();
  }
  says(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let statuses: LiveStatus[];
let messages: LiveMessage[];
let gaps: number;
let disconnect: () => void;
const latest = () => {
  const socket = FakeSocket.all.at(-1);
  if (!socket) throw new Error('no connection was made');
  return socket;
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  FakeSocket.all = [];
  statuses = [];
  messages = [];
  gaps = 0;
  disconnect = connectLive('ws://gateway/api/app/live', 'acct-1', {
    onStatus: (status) => statuses.push(status),
    onMessage: (message) => messages.push(message),
    onGap: () => {
      gaps += 1;
    },
  });
});

afterEach(() => {
  disconnect();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('is live only once the server has greeted', () => {
  latest().onopen?.();
  expect(statuses).toEqual(['connecting']);
  expect(latest().url).toBe('ws://gateway/api/app/live?account=acct-1');
  latest().says({ kind: 'hello', seq: 7 });
  expect(statuses).toEqual(['connecting', 'live']);
});

it('takes what happened before the first greeting for missed, once', () => {
  latest().onopen?.();
  expect(gaps).toBe(0);
  latest().says({ kind: 'hello', seq: 7 });
  expect(gaps).toBe(1);
  latest().onclose?.();
  vi.advanceTimersByTime(2_000);
  latest().onopen?.();
  latest().says({ kind: 'hello', seq: 7 });
  expect(gaps).toBe(1);
});

it('comes back by itself from where it was, and says when that was not possible', () => {
  latest().onopen?.();
  latest().says({ kind: 'hello', seq: 7 });
  latest().says({ kind: 'balance', seq: 7, account_id: 'acct-1', balance: '1' });
  latest().says({ kind: 'ping', seq: 8 });
  latest().onclose?.();
  expect(statuses.at(-1)).toBe('lost');
  vi.advanceTimersByTime(2_000);
  expect(FakeSocket.all).toHaveLength(2);
  latest().onopen?.();
  expect(latest().url).toBe('ws://gateway/api/app/live?account=acct-1&resume=8');
  latest().says({ kind: 'hello', seq: 8 });
  expect(gaps).toBe(1);
  latest().onclose?.();
  vi.advanceTimersByTime(2_000);
  latest().onopen?.();
  latest().says({ kind: 'hello', seq: 40 });
  latest().says({ kind: 'reset', seq: 40 });
  expect(gaps).toBe(2);
  expect(messages).toHaveLength(1);
});

it('waits longer each time and takes silence for a lost connection', () => {
  latest().onclose?.();
  vi.advanceTimersByTime(1_300);
  latest().onclose?.();
  vi.advanceTimersByTime(1_300);
  expect(FakeSocket.all).toHaveLength(2);
  vi.advanceTimersByTime(1_300);
  expect(FakeSocket.all).toHaveLength(3);
  latest().onopen?.();
  latest().says({ kind: 'hello', seq: 1 });
  vi.advanceTimersByTime(30_000);
  latest().says({ kind: 'ping', seq: 1 });
  vi.advanceTimersByTime(30_000);
  expect(statuses.at(-1)).toBe('live');
  vi.advanceTimersByTime(20_000);
  expect(statuses.slice(-2)).toEqual(['lost', 'connecting']);
});

it('ignores what is no message', () => {
  latest().onopen?.();
  latest().says({ kind: 'hello', seq: 1 });
  latest().onmessage?.({ data: 'not json' });
  latest().says({ kind: 'balance' });
  expect(messages).toEqual([]);
});

it('stays away once it is told to', () => {
  disconnect();
  vi.advanceTimersByTime(120_000);
  expect(FakeSocket.all).toHaveLength(1);
  expect(statuses).toEqual(['connecting']);
});
