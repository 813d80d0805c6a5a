// Sums of a report of provider costs, and an invoice beside them. Amounts are exact text throughout.

import type { CostSums, ProviderCost, TokenKind } from '../../api/types';
import { type DecimalText, difference, isNegative, shift, sum } from '../../money/decimal';

export interface Narrowed {
  provider?: string | undefined;
  channel?: string | undefined;
}

export function narrowed(rows: readonly ProviderCost[], by: Narrowed): ProviderCost[] {
  const is = (wanted: string | undefined, value: string) => wanted === undefined || wanted === value;
  return rows.filter((row) => is(by.provider, row.provider) && is(by.channel, row.channel));
}

/** Of all rows together. */
export function totalOf(rows: readonly ProviderCost[]): Omit<CostSums, 'tokens'> {
  const count = (of: (row: ProviderCost) => number) => rows.reduce((all, row) => all + of(row), 0);
  return {
    requests: count((row) => row.requests),
    estimated_requests: count((row) => row.estimated_requests),
    unknown_requests: count((row) => row.unknown_requests),
    cost: sum(rows.map((row) => row.cost)) ?? '0',
    estimated_cost: sum(rows.map((row) => row.estimated_cost)) ?? '0',
  };
}

/** What each provider should have invoiced, in the order of their names. */
export function byProvider(rows: readonly ProviderCost[]): { provider: string; cost: DecimalText }[] {
  const names = [...new Set(rows.map((row) => row.provider))].filter(Boolean).sort();
  return names.map((provider) => ({ provider, cost: totalOf(narrowed(rows, { provider })).cost }));
}

/** In the order in which they are told, with the word that names each. */
export const TOKENS = {
  uncached_input: 'price.uncached_input',
  cache_read: 'price.cache_read',
  cache_write_5m: 'price.cache_write5m',
  cache_write_1h: 'price.cache_write1h',
  image_input: 'price.image_input',
  audio_input: 'price.audio_input',
  text_output: 'price.text_output',
  reasoning: 'price.reasoning',
  image_output: 'price.image_output',
  audio_output: 'price.audio_output',
} as const satisfies Record<TokenKind, string>;

/**
 * What somebody typed or pasted from an invoice, as an exact amount: `$1,234.56` is `1234.56`. Null when it is none, and
 * when it could be read in two ways, as `1.234,56` could.
 */
export function readInvoice(text: string): string | null {
  const bare = text.replaceAll(/[\s\u00a0\u202f]/g, '').replace(/^(US)?\$|USD$/gi, '');
  const plain = /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(bare) ? bare.replaceAll(',', '') : bare;
  return /^\d{1,10}(\.\d{1,9})?$/.test(plain) ? plain : null;
}

export interface Comparison {
  /** `cent`: they differ by less than a cent, which is how an invoice is rounded. */
  verdict: 'equal' | 'cent' | 'higher' | 'lower';
  /** How far the invoice is from the books, without a sign. */
  apart: DecimalText;
  /** The same in hundredths of a percent of the books; null where they have nothing. */
  basisPoints: number | null;
}

export function compareInvoice(invoiced: string, cost: DecimalText): Comparison | null {
  const more = difference(invoiced, cost);
  const nanos = (amount: string) => BigInt(shift(amount, 9)?.split('.')[0] ?? '0');
  if (more === null) return null;
  const apart = more.replace('-', '');
  const all = nanos(String(cost));
  const basisPoints = all > 0n ? Number((nanos(apart) * 10_000n + all / 2n) / all) : null;
  const verdict = apart === '0' ? 'equal' : nanos(apart) < 10_000_000n ? 'cent' : isNegative(more) ? 'lower' : 'higher';
  return { verdict, apart, basisPoints };
}
