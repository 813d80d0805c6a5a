import { expect, it } from 'vitest';
import { buckets, endOfDay, startOfDay } from './days';
import { formatCompact, formatDuration, formatMoment, formatShare } from './numbers';

it('writes numbers as they are read', () => {
  expect(formatCompact(9_876, 'en')).toBe('9,876');
  expect(formatCompact(12_345_678, 'en')).toBe('12.3M');
  expect(formatDuration(340, 'en')).toBe('340 ms');
  expect(formatDuration(1_270, 'en')).toBe('1.27 s');
  expect(formatDuration(null, 'en')).toBe('–');
  expect(formatShare(0.1234, 'en')).toBe('12.3%');
});

it('keeps the days of statistics in UTC', () => {
  expect(formatMoment('2026-11-24T00:00:00Z', 'day', 'en')).toBe('Nov 24');
  expect(formatMoment('2026-11-24', 'day', 'en')).toBe('Nov 24');
  expect(formatMoment('no date', 'day', 'en')).toBe('no date');
});

it('takes a day from its first moment to the first of the next', () => {
  const length = Date.parse(endOfDay('2026-11-24') ?? '') - Date.parse(startOfDay('2026-11-24') ?? '');
  expect(length).toBe(86_400_000);
  expect(startOfDay('24.11.2026')).toBeUndefined();
});

it('knows the hours and days of a while, with those nobody used', () => {
  const [from, to] = [Date.parse('2026-11-23T22:40:00Z'), Date.parse('2026-11-24T00:10:00Z')];
  expect(buckets(from, to, 'hour').map((at) => at.slice(0, 13))).toEqual([
    '2026-11-23T22',
    '2026-11-23T23',
    '2026-11-24T00',
  ]);
  expect(buckets(from, to, 'day').map((at) => at.slice(0, 10))).toEqual(['2026-11-23', '2026-11-24']);
});
