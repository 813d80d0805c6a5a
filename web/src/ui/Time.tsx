import { useTranslation } from 'react-i18next';

/** A moment: to the second where people compare, otherwise the day. The year stands there when it is another one. */
export function Time({ at, day }: { at: string | null | undefined; day?: boolean }) {
  const { i18n } = useTranslation();
  const moment = at ? new Date(at) : null;
  if (moment === null || Number.isNaN(moment.getTime())) return <span>–</span>;
  const full = moment.toLocaleString(i18n.language, { dateStyle: 'long', timeStyle: 'long' });
  const date: Intl.DateTimeFormatOptions = { month: 'short', day: 'numeric' };
  if (moment.getFullYear() !== new Date().getFullYear()) date.year = 'numeric';
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
  const text = day
    ? moment.toLocaleDateString(i18n.language, { dateStyle: 'medium' })
    : moment.toLocaleString(i18n.language, { ...date, ...time });
  return (
    <time dateTime={moment.toISOString()} title={full}>
      {text}
    </time>
  );
}
