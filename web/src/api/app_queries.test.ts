import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { generationsQuery, keptFor, rankingsQuery } from './app_queries';

it('keeps rows while they are narrowed otherwise, and none of another account', () => {
  const kept = keptFor(['generations', 'a']);
  expect(kept('rows', { queryKey: ['generations', 'a', { status: 'error' }] })).toBe('rows');
  expect(kept('rows', { queryKey: ['generations', 'b', {}] })).toBeUndefined();
  expect(kept('rows', undefined)).toBeUndefined();
  expect(generationsQuery('a', {}).placeholderData).toBeTypeOf('function');
});

it('does not show tokens where it says dollars now', () => {
  const queries = new QueryClient();
  queries.setQueryData(rankingsQuery('week', 'tokens').queryKey, []);
  const observer = new QueryObserver(queries, { ...rankingsQuery('week', 'tokens'), enabled: false });
  const stop = observer.subscribe(() => {});
  expect(observer.getCurrentResult().data).toEqual([]);
  observer.setOptions({ ...rankingsQuery('week', 'spend'), enabled: false });
  expect(observer.getCurrentResult().data).toBeUndefined();
  stop();
});
