import { expect, it } from 'vitest';
import { activitySearch, creditsSearch, modelsSearch } from './search';

it('takes from an address only what a page understands', () => {
  expect(creditsSearch({ kind: 'topup', from: '2026-11-01', to: 'soon', generation: '' })).toEqual({
    kind: 'topup',
    from: '2026-11-01',
  });
  expect(activitySearch({ status: 'perhaps', model: 'a/b', key: { no: 1 } })).toEqual({ model: 'a/b' });
  expect(modelsSearch({ q: 4, context: 128000, price: '0.5', free: 'true', sort: 'random' })).toEqual({
    q: '4',
    context: '128000',
    price: '0.5',
    free: true,
  });
  expect(modelsSearch({ q: 'x'.repeat(1000) })).toEqual({});
});
