import { useTranslation } from 'react-i18next';

/** A moment: to the second where people compare, otherwise the day. */
export function Time({ at, day }: { at: string | null | undefined; day?: boolean }) {
  const { i18n } = useTranslation();
  const moment = at ? new Date(at) : null;
  if (moment === null || Number.isNaN(moment.getTime())) return <span>–</span>;
  const full = moment.toLocaleString(i18n.language, { dateStyle: 'long', timeStyle: 'long' });
  const text = day
    ? moment.toLocaleDateString(i18n.language, { dateStyle: 'medium' })
    : moment.toLocaleString(i18n.language, { dateStyle: 'short', timeStyle: 'medium' });
  return (
    <time dateTime={moment.toISOString()} title={full}>
      {text}
    </time>
  );
}
