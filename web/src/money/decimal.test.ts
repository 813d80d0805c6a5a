import { describe, expect, it } from 'vitest';
import { compare, difference, formatUsd, placesOf, shift, sum } from './decimal';

describe('shift', () => {
  it('turns a price per token into one per million, digit by digit', () => {
    expect(shift('0.00000015', 6)).toBe('0.15');
    expect(shift('0.000000000001', 6)).toBe('0.000001');
    expect(shift('1.5e-7', 6)).toBe('0.15');
    expect(shift('0', 6)).toBe('0');
    expect(shift('-1', 6)).toBe('-1000000');
  });
});

describe('sum and difference', () => {
  it('do what floats cannot', () => {
    expect(sum(['0.1', '0.2'])).toBe('0.3');
    expect(sum(Array(1_000).fill('0.000000001'))).toBe('0.000001');
    expect(difference('9000000000.123456789', '0.000000001')).toBe('9000000000.123456788');
    expect(difference('25.75', '100.5')).toBe('-74.75');
    expect(sum([])).toBe('0');
  });

  it('say when something is no amount', () => {
    expect(sum(['1', 'one'])).toBeNull();
  });
});

describe('formatUsd', () => {
  it('keeps every digit of a charge and two of a round one', () => {
    expect(formatUsd('0.000001230', 'en')).toBe('$0.00000123');
    expect(formatUsd('10', 'en')).toBe('$10.00');
    expect(formatUsd('-1234567.5', 'en')).toBe('−$1,234,567.50');
    expect(formatUsd('1234567.5', 'zh-CN')).toBe('$1,234,567.50');
    expect(formatUsd('-0', 'en')).toBe('$0.00');
    expect(formatUsd('', 'en')).toBeNull();
  });
});

describe('compare', () => {
  it('orders amounts of different length', () => {
    expect(['0.5', '0.15', '10', '-1'].sort(compare)).toEqual(['-1', '0.15', '0.5', '10']);
  });
});

it('knows how many digits stand behind the point', () => {
  expect(['3', '0.10', '-0.000001', '12.500000001', 'nothing'].map(placesOf)).toEqual([2, 2, 6, 9, 0]);
});
