// Which days a report of provider costs is about. They are days in UTC, whatever the reader's time zone.

/** As the gateway: docs/operations.md. */
const DAYS_MAX = 366;
const DAY_MS = 86_400_000;
const MONTHS_OFFERED = 13;

export interface CostPeriod {
  from: string;
  to: string;
  /** Why there can be no report of them. */
  fault: 'order' | 'long' | null;
}

/** The days asked for. Without any it is this month; with one of both, as the gateway completes them. */
export function costPeriod(asked: { from?: string; to?: string }, now: Date): CostPeriod {
  const today = now.toISOString().slice(0, 10);
  const month = daysOfMonth(today.slice(0, 7));
  const to = asked.to ?? (asked.from === undefined ? month.to : today);
  const from = asked.from ?? `${to.slice(0, 7)}-01`;
  const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  return { from, to, fault: days < 1 ? 'order' : days > DAYS_MAX ? 'long' : null };
}

/** Its first and its last day: `2026-11` is 2026-11-01 to 2026-11-30. */
export function daysOfMonth(month: string): { from: string; to: string } {
  const [year, number] = month.split('-').map(Number);
  const last = new Date(Date.UTC(year ?? 0, number ?? 0, 0)).getUTCDate();
  return { from: `${month}-01`, to: `${month}-${last}` };
}

/** The month that two days are exactly; null when they are something else. */
export function monthOf({ from, to }: { from: string; to: string }): string | null {
  const month = from.slice(0, 7);
  const whole = daysOfMonth(month);
  return whole.from === from && whole.to === to ? month : null;
}

/** This month and those before it, the latest first. */
export function latestMonths(now: Date): string[] {
  const first = (back: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
  return Array.from({ length: MONTHS_OFFERED }, (_, back) => first(back).toISOString().slice(0, 7));
}
