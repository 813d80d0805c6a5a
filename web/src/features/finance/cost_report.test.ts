import { describe, expect, it } from 'vitest';
import type { ProviderCost } from '../../api/types';
import { byProvider, compareInvoice, narrowed, readInvoice, totalOf } from './cost_report';

const TOKENS = {
  uncached_input: 10,
  cache_read: 0,
  cache_write_5m: 0,
  cache_write_1h: 0,
  image_input: 0,
  audio_input: 0,
  text_output: 5,
  reasoning: 0,
  image_output: 0,
  audio_output: 0,
};

const row = (provider: string, channel: string, cost: string, more: Partial<ProviderCost> = {}): ProviderCost => ({
  period: '2026-11',
  provider,
  channel,
  model: 'a/b',
  requests: 3,
  estimated_requests: 1,
  unknown_requests: 0,
  tokens: TOKENS,
  cost,
  estimated_cost: '0',
  ...more,
});

const ROWS = [
  row('openai', 'main', '9000000000.123456789'),
  row('openai', 'spare', '0.000000001', { estimated_cost: '0.000000001' }),
  row('anthropic', 'main', '0.1'),
  row('', '', '0', { requests: 2, estimated_requests: 0, unknown_requests: 2 }),
];

describe('what a report adds up to', () => {
  it('is exact to the nano-dollar', () => {
    expect(totalOf(ROWS)).toEqual({
      requests: 11,
      estimated_requests: 3,
      unknown_requests: 2,
      cost: '9000000000.22345679',
      estimated_cost: '0.000000001',
    });
    expect(totalOf([]).cost).toBe('0');
  });

  it('is narrowed by provider and channel', () => {
    expect(narrowed(ROWS, { provider: 'openai' })).toHaveLength(2);
    expect(narrowed(ROWS, { provider: 'openai', channel: 'spare' })).toEqual([ROWS[1]]);
    expect(narrowed(ROWS, {})).toEqual(ROWS);
  });

  it('is told for every provider that has a name', () => {
    expect(byProvider(ROWS)).toEqual([
      { provider: 'anthropic', cost: '0.1' },
      { provider: 'openai', cost: '9000000000.12345679' },
    ]);
  });
});

describe('an invoice', () => {
  it('is read as people write it', () => {
    for (const text of ['1234.56', ' 1,234.56 ', '$1,234.56', 'US$ 1 234.56', '1,234.56 USD'])
      expect(readInvoice(text), text).toBe('1234.56');
    expect(readInvoice('0')).toBe('0');
    expect(readInvoice('0.000000001')).toBe('0.000000001');
  });

  it('is not guessed at', () => {
    for (const text of ['', '1.234,56', '12,34', '-5', '1e3', '1.0000000001', '12 euro', '99999999999'])
      expect(readInvoice(text), text).toBeNull();
  });

  it('agrees, agrees to the cent, or is higher or lower', () => {
    expect(compareInvoice('12.50', '12.5')).toEqual({ verdict: 'equal', apart: '0', basisPoints: 0 });
    expect(compareInvoice('12.50', '12.504999999')).toEqual({ verdict: 'cent', apart: '0.004999999', basisPoints: 4 });
    expect(compareInvoice('12.51', '12.5')?.verdict).toBe('higher');
    expect(compareInvoice('11', '12.5')).toEqual({ verdict: 'lower', apart: '1.5', basisPoints: 1200 });
    expect(compareInvoice('3', '0')).toEqual({ verdict: 'higher', apart: '3', basisPoints: null });
    expect(compareInvoice('9000000000.123456789', '9000000000.113456788')).toMatchObject({
      verdict: 'higher',
      apart: '0.010000001',
    });
  });
});
