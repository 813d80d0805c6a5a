// Numbers that are not money, for reading.

export function formatCount(count: number, language: string): string {
  return new Intl.NumberFormat(language).format(count);
}

/** 1,234 as it is, 12.3K and 4.5M above that. */
export function formatCompact(count: number, language: string): string {
  const notation = Math.abs(count) < 10_000 ? 'standard' : 'compact';
  return new Intl.NumberFormat(language === 'zh-CN' ? 'en' : language, {
    notation,
    maximumFractionDigits: notation === 'compact' ? 1 : 2,
  }).format(count);
}

export function formatShare(share: number | null | undefined, language: string): string {
  if (share === null || share === undefined) return '–';
  return new Intl.NumberFormat(language, {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(share);
}

/** Milliseconds as people say them: 340 ms, 1.27 s. */
export function formatDuration(milliseconds: number | null | undefined, language: string): string {
  if (milliseconds === null || milliseconds === undefined) return '–';
  const digits = { maximumFractionDigits: milliseconds < 1_000 ? 0 : 2 };
  const number = new Intl.NumberFormat(language, digits);
  return milliseconds < 1_000 ? `${number.format(milliseconds)} ms` : `${number.format(milliseconds / 1_000)} s`;
}

/** A chart's place on its axis. Never for sums: amounts add up in money/decimal.ts. */
export function forDrawing(amount: string | number | null | undefined): number | null {
  return amount === null || amount === undefined ? null : Number(amount);
}

export function formatMoment(at: string, interval: 'hour' | 'day', language: string): string {
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return at;
  // A day of the statistics is a day in UTC.
  return interval === 'hour'
    ? moment.toLocaleString(language, {
        month: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      })
    : moment.toLocaleDateString(language, { month: 'short', day: 'numeric', timeZone: 'UTC' });
}
