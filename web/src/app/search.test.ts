import { expect, it } from 'vitest';
import { activitySearch, creditsSearch, modelsSearch, providerCostsSearch, requestFilters } from './search';

it('takes from an address only what a page understands', () => {
  expect(creditsSearch({ kind: 'topup', from: '2026-11-01', to: 'soon', generation: '' })).toEqual({
    kind: 'topup',
    from: '2026-11-01',
  });
  expect(activitySearch({ status: 'perhaps', model: 'a/b', key: { no: 1 } })).toEqual({ model: 'a/b' });
  expect(activitySearch({ range: '30d', show: 'tokens', utm_source: 'mail' })).toEqual({
    range: '30d',
    show: 'tokens',
  });
  expect(requestFilters({ range: '30d', status: 'ok', generation: 'gen-1' })).toEqual({ status: 'ok' });
  expect(modelsSearch({ q: 4, context: 128000, price: '0.5', free: 'true', sort: 'random' })).toEqual({
    q: '4',
    context: '128000',
    price: '0.5',
    free: true,
  });
  expect(modelsSearch({ q: 'x'.repeat(1000) })).toEqual({});
});

it('takes no amount that was read as a number', () => {
  const invoiced = '9000000000.123456789';
  expect(providerCostsSearch({ invoiced, by: 'day', from: '2026-11-01' })).toEqual({
    invoiced,
    by: 'day',
    from: '2026-11-01',
  });
  expect(providerCostsSearch({ invoiced: 1234.56, by: 'hour' })).toEqual({});
});
