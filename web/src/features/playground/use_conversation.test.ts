import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetConversations } from './conversation_store';
import { useConversations } from './use_conversation';

const SAMPLING = { system: '', maxTokens: null, temperature: null, topP: null };
const STREAM = 'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\ndata: [DONE]\n\n';
const REFUSAL = '{"error":{"code":401,"message":"no such key","metadata":{"error_type":"authentication"}}}';

let used: string[];
beforeEach(() => {
  used = [];
  forgetConversations();
  vi.stubGlobal('fetch', async (_: string, init: { headers: Record<string, string> }) => {
    const key = init.headers.authorization?.slice('Bearer '.length) ?? '';
    used.push(key);
    return key === 'good' ? new Response(STREAM) : new Response(REFUSAL, { status: 401 });
  });
});
afterEach(() => vi.unstubAllGlobals());

async function ask(another: string | null) {
  const { result } = renderHook(() => useConversations());
  const keys = { get: async () => 'ended', replace: async () => another };
  await act(() => result.current.send(['acme/one'], 'Hi', SAMPLING, 'ended', keys));
  return result.current.conversations['acme/one']?.at(-1);
}

it('goes on with another key when its own has ended', async () => {
  expect(await ask('good')).toMatchObject({ state: 'done', content: 'Hello' });
  expect(used).toEqual(['ended', 'good']);
});

it('says that the key was refused when there is no other, and tries no third', async () => {
  expect(await ask(null)).toMatchObject({ state: 'failed', error: { status: 401 } });
  expect(await ask('ended')).toMatchObject({ state: 'failed', error: { status: 401 } });
  expect(used).toEqual(['ended', 'ended', 'ended']);
});
