import { QueryClient } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetMadeKey, useKey } from '../key/store';
import { keySource } from './playground_key';

const IN_AN_HOUR = () => new Date(Date.now() + 3_600_000).toISOString();
let made: number;

beforeEach(() => {
  made = 0;
  useKey.getState().forget();
  vi.stubGlobal('fetch', async () => {
    made += 1;
    return new Response(JSON.stringify({ data: { key: `key-${made}`, hash: `hash-${made}` } }), { status: 201 });
  });
});
afterEach(() => vi.unstubAllGlobals());

const source = (account: string | null = 'a') => keySource(account, new QueryClient());

it('makes one key for all who ask at once, and uses it again', async () => {
  const keys = source();
  expect(await Promise.all([keys.get(), keys.get()])).toEqual(['key-1', 'key-1']);
  expect(await source().get()).toBe('key-1');
  expect(made).toBe(1);
});

it('does not go on with a key that is about to end, nor with one of another account', async () => {
  useKey.getState().use('old', { account: 'a', hash: 'h', expiresAt: new Date(Date.now() + 30_000).toISOString() });
  expect(await source().get()).toBe('key-1');
  expect(await source('b').get()).toBe('key-2');
});

it('replaces a key that was refused once, however many requests it was refused for', async () => {
  useKey.getState().use('old', { account: 'a', hash: 'h', expiresAt: IN_AN_HOUR() });
  const keys = source();
  expect(await Promise.all([keys.replace('old'), keys.replace('old')])).toEqual(['key-1', 'key-1']);
  expect(await keys.replace('old')).toBe('key-1');
  expect(made).toBe(1);
});

it('leaves a key that was pasted to whoever pasted it', async () => {
  useKey.getState().use('pasted');
  expect(await source().replace('pasted')).toBeNull();
  expect(await source(null).get()).toBe('pasted');
});

it('forgets the key that the keys page takes away, and no other', () => {
  useKey.getState().use('mine', { account: 'a', hash: 'h', expiresAt: IN_AN_HOUR() });
  forgetMadeKey('other');
  expect(useKey.getState().key).toBe('mine');
  forgetMadeKey('h');
  expect(useKey.getState().key).toBe('');
});
