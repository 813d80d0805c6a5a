import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, render, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sessionQuery } from '../../api/app_queries';
import type { Session } from '../../api/app_types';
import { call } from '../../api/client';
import { useKey } from '../key/store';
import { changeConversations, useConversationStore } from '../playground/conversation_store';
import { endSession, useEndedSession } from './end_session';

const session = (id: string) => ({ user: { id }, accounts: [] }) as unknown as Session;
const REFUSAL = '{"error":{"code":401,"message":"Sign in","metadata":{"reason":"unauthenticated"}}}';
let queries: QueryClient;

function Watch() {
  useEndedSession();
  return null;
}

function open(person: Session | null) {
  queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } } });
  queries.setQueryData(sessionQuery.queryKey, person);
  queries.setQueryData(['keys', 'a'], ['theirs']);
  changeConversations(() => ({ 'acme/one': [] }));
  render(
    <QueryClientProvider client={queries}>
      <Watch />
    </QueryClientProvider>,
  );
}

const left = () => ({
  key: useKey.getState().key,
  conversations: useConversationStore.getState().all,
  keys: queries.getQueryData(['keys', 'a']),
});
const NOTHING = { key: '', conversations: {}, keys: undefined };
const make = () => useKey.getState().use('secret', { account: 'a', hash: 'h', expiresAt: '2099-01-01T00:00:00Z' });

beforeEach(() => {
  vi.stubGlobal('fetch', async () => new Response(REFUSAL, { status: 401 }));
  make();
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it('leaves nothing behind when somebody signs out', () => {
  open(session('u'));
  act(() => endSession(queries));
  expect(left()).toEqual(NOTHING);
  expect(queries.getQueryData(sessionQuery.queryKey)).toBeNull();
});

it('leaves nothing behind when any answer says that the session has ended', async () => {
  open(session('u'));
  await expect(call('GET', '/api/app/accounts/a/keys')).rejects.toThrow();
  await waitFor(() => expect(left()).toEqual(NOTHING));
  expect(queries.getQueryData(sessionQuery.queryKey)).toBeNull();
});

it('leaves nothing of one person to the next', async () => {
  open(session('u'));
  act(() => void queries.setQueryData(sessionQuery.queryKey, session('v')));
  await waitFor(() => expect(left()).toEqual(NOTHING));
});

it('leaves a visitor the key they pasted, and takes one that was made for somebody', () => {
  useKey.getState().use('pasted');
  open(null);
  expect(left().key).toBe('pasted');
  cleanup();
  make();
  open(null);
  expect(left().key).toBe('');
});
