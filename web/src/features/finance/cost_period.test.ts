import { describe, expect, it } from 'vitest';
import { costPeriod, daysOfMonth, latestMonths, monthOf } from './cost_period';

const NOW = new Date('2026-11-29T23:30:00Z');

describe('the days of a report', () => {
  it('are this month unless others are asked for', () => {
    expect(costPeriod({}, NOW)).toEqual({ from: '2026-11-01', to: '2026-11-30', fault: null });
    expect(costPeriod({ from: '2026-10-05' }, NOW)).toEqual({ from: '2026-10-05', to: '2026-11-29', fault: null });
    expect(costPeriod({ to: '2026-09-12' }, NOW)).toEqual({ from: '2026-09-01', to: '2026-09-12', fault: null });
  });

  it('are in order, and no more than a leap year has', () => {
    expect(costPeriod({ from: '2026-11-02', to: '2026-11-01' }, NOW).fault).toBe('order');
    expect(costPeriod({ from: '2024-01-01', to: '2024-12-31' }, NOW).fault).toBeNull();
    expect(costPeriod({ from: '2024-01-01', to: '2025-01-01' }, NOW).fault).toBe('long');
    // What stands in a field while a year is being typed.
    expect(costPeriod({ from: '0002-11-01', to: '2026-11-30' }, NOW).fault).toBe('long');
  });
});

describe('a month', () => {
  it('has its first and its last day', () => {
    expect(daysOfMonth('2024-02')).toEqual({ from: '2024-02-01', to: '2024-02-29' });
    expect(daysOfMonth('2026-12')).toEqual({ from: '2026-12-01', to: '2026-12-31' });
  });

  it('is told from days that are none', () => {
    expect(monthOf({ from: '2026-11-01', to: '2026-11-30' })).toBe('2026-11');
    expect(monthOf({ from: '2026-11-01', to: '2026-11-29' })).toBeNull();
    expect(monthOf({ from: '2026-10-01', to: '2026-11-30' })).toBeNull();
  });

  it('is offered for a year back, in UTC', () => {
    const months = latestMonths(new Date('2026-01-31T23:59:59Z'));
    expect(months.slice(0, 3)).toEqual(['2026-01', '2025-12', '2025-11']);
    expect(months).toHaveLength(13);
  });
});
