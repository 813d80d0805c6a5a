// Days somebody picked (2026-11-24, in their own time zone) as moments for the gateway.

export function startOfDay(day: string | undefined): string | undefined {
  return moment(day, 0);
}

/** The end of the day is the start of the next: intervals are half open. */
export function endOfDay(day: string | undefined): string | undefined {
  return moment(day, 1);
}

/** The last second of a day: what is good for the whole of it. */
export function lastSecondOf(day: string): string | undefined {
  const end = endOfDay(day);
  return end && new Date(Date.parse(end) - 1000).toISOString();
}

/** The day of a moment, where the reader is. */
export function dayOf(moment: string): string {
  const at = new Date(moment);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

function moment(day: string | undefined, later: number): string | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? '');
  if (!match) return undefined;
  const [, year = '', month = '', date = ''] = match;
  return new Date(Number(year), Number(month) - 1, Number(date) + later).toISOString();
}

const LENGTHS_MS = { hour: 3_600_000, day: 86_400_000 };

/** The beginnings of all hours or days (UTC) that touch the time between two moments. */
export function buckets(from: number, to: number, interval: 'hour' | 'day'): string[] {
  const length = LENGTHS_MS[interval];
  const first = Math.floor(from / length);
  const count = Math.max(0, Math.floor(to / length) - first + 1);
  return Array.from({ length: count }, (_, place) => new Date((first + place) * length).toISOString());
}
