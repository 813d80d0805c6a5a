import type { UsageSeries } from '../../api/app_types';

/** Counts by the hour as counts by the day (UTC): the last `most` days, because the first of them all is not whole. */
export function byDay(series: UsageSeries, most: number): UsageSeries {
  const days = new Map<string, number>();
  for (const point of series.points) {
    const day = `${point.at.slice(0, 10)}T00:00:00Z`;
    days.set(day, (days.get(day) ?? 0) + (point.value ?? 0));
  }
  return { interval: 'day', points: [...days].slice(-most).map(([at, value]) => ({ at, value })) };
}
