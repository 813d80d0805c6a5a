// Exact decimals. An amount is the text of a decimal number and is never read as a floating-point one: the API client
// keeps the digits (api/exact_json.ts), this file moves the point and groups the thousands.

/** A number whose digits were kept, or an integer small enough to be exact. */
export type DecimalText = string | number;

interface Parts {
  negative: boolean;
  /** All digits without the point, as one integer. */
  digits: bigint;
  /** How many of them are behind the point. */
  scale: number;
}

const PATTERN = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

function parse(text: DecimalText): Parts | null {
  const match = PATTERN.exec(String(text).trim());
  if (!match) return null;
  const [, sign, whole = '0', fraction = '', exponent = '0'] = match;
  const scale = fraction.length - Number(exponent);
  if (!Number.isSafeInteger(scale) || Math.abs(scale) > 100) return null;
  const digits = BigInt(whole + fraction);
  return {
    negative: sign === '-' && digits !== 0n,
    digits: scale < 0 ? digits * 10n ** BigInt(-scale) : digits,
    scale: Math.max(scale, 0),
  };
}

/** The same number with its point moved right: `shift('0.00000015', 6)` is `0.15`. */
export function shift(text: DecimalText, places: number): string | null {
  const parts = parse(text);
  if (!parts) return null;
  const scale = parts.scale - places;
  return write(
    scale < 0 ? { ...parts, digits: parts.digits * 10n ** BigInt(-scale), scale: 0 } : { ...parts, scale },
    0,
    scale,
  );
}

/** Sums amounts exactly; null when one of them is none. */
export function sum(texts: readonly DecimalText[]): string | null {
  return fold(texts, (a, b) => a + b);
}

/** The first amount less all others. */
export function difference(first: DecimalText, ...others: DecimalText[]): string | null {
  return fold([first, ...others], (a, b) => a - b);
}

export function compare(a: DecimalText, b: DecimalText): number {
  const delta = difference(a, b);
  if (delta === null || delta === '0') return 0;
  return delta.startsWith('-') ? -1 : 1;
}

export function isNegative(text: DecimalText): boolean {
  return parse(text)?.negative ?? false;
}

/**
 * US dollars for reading: at least two digits behind the point and as many more as the amount has, thousands grouped
 * as the language does.
 */
export function formatUsd(text: DecimalText, language: string): string | null {
  const parts = parse(text);
  if (!parts) return null;
  const written = write({ ...parts, negative: false }, 2, Math.max(parts.scale, 2));
  const [whole = '0', fraction] = written.split('.');
  const separators = new Intl.NumberFormat(language, { useGrouping: true }).formatToParts(11111.5);
  const group = separators.find((part) => part.type === 'group')?.value ?? ',';
  const point = separators.find((part) => part.type === 'decimal')?.value ?? '.';
  return `${parts.negative ? '−' : ''}$${whole.replace(/\B(?=(\d{3})+$)/g, group)}${fraction ? point + fraction : ''}`;
}

/** How many digits `formatUsd` writes behind the point. */
export function placesOf(text: DecimalText): number {
  const parts = parse(text);
  return parts ? (write(parts, 2, Math.max(parts.scale, 2)).split('.')[1]?.length ?? 0) : 0;
}

function fold(texts: readonly DecimalText[], combine: (a: bigint, b: bigint) => bigint): string | null {
  const parts = texts.map(parse);
  if (parts.some((part) => part === null)) return null;
  const known = parts as Parts[];
  const scale = Math.max(0, ...known.map((part) => part.scale));
  const aligned = known.map((part) => (part.negative ? -1n : 1n) * part.digits * 10n ** BigInt(scale - part.scale));
  const total = aligned.length === 0 ? 0n : aligned.reduce(combine);
  return write({ negative: total < 0n, digits: total < 0n ? -total : total, scale }, 0, scale);
}

/** Digits with their point, trailing zeros cut down to `least` places. */
function write(parts: Parts, least: number, most: number): string {
  const text = parts.digits.toString().padStart(parts.scale + 1, '0');
  const whole = text.slice(0, text.length - parts.scale);
  let fraction = text.slice(text.length - parts.scale).slice(0, Math.max(most, 0));
  while (fraction.length > least && fraction.endsWith('0')) fraction = fraction.slice(0, -1);
  fraction = fraction.padEnd(least, '0');
  return `${parts.negative ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

/** An amount somebody typed: positive, at most nine places, as the gateway takes it. */
export function isAmount(text: string): boolean {
  return /^\d{1,10}(\.\d{1,9})?$/.test(text.trim()) && /[1-9]/.test(text);
}

/** For the length of a bar only: whole percents between 0 and 100. */
export function percentOf(part: DecimalText, whole: DecimalText): number {
  const nanos = (amount: DecimalText) => BigInt((shift(amount, 9) ?? '0').split('.')[0] ?? '0');
  const all = nanos(whole);
  return all <= 0n ? 0 : Math.max(0, Math.min(100, Number((nanos(part) * 100n) / all)));
}
