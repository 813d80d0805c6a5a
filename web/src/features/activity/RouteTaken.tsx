// Where a request was tried, in which order, and how long each part took.

import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { GenerationDetail } from '../../api/app_types';
import { formatDuration } from '../../ui/numbers';
import { StatusDot } from '../../ui/StatusDot';
import { useWords } from '../../ui/words';
import classes from './activity.module.css';

export function RouteTaken({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const errorName = useWords('error_type');
  return (
    <ol className={classes.attempts}>
      {(data.attempts ?? []).map((attempt, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: attempts never move
        <li key={`${place}-${attempt.channel}`}>
          <StatusDot tone={attempt.error ? 'bad' : 'good'} />
          <span className={classes.channel}>
            {attempt.channel}
            {attempt.model && attempt.model !== data.model && (
              <Text size="xs" c="dimmed" component="span" ml={6}>
                {attempt.model}
              </Text>
            )}
          </span>
          <Text size="xs" c="dimmed" component="span">
            {[attempt.error ? errorName(attempt.error) : t('status.ok'), attempt.status && `HTTP ${attempt.status}`]
              .filter(Boolean)
              .join(' · ')}
          </Text>
          <span className={classes.took}>{formatDuration(attempt.latency_ms, i18n.language)}</span>
        </li>
      ))}
    </ol>
  );
}

export function Timings({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const total = data.timings?.total_ms ?? data.latency_ms ?? 0;
  // An answer that comes whole has no first token apart from the others.
  const first = data.streamed === false ? null : data.time_to_first_token_ms;
  const waiting = first ?? total;
  const share = total > 0 ? Math.min(100, (waiting / total) * 100) : 0;
  return (
    <>
      {first !== null && (
        <div className={classes.timeline} aria-hidden="true">
          <span style={{ width: `${share}%` }} data-part="waiting" />
          <span style={{ width: `${100 - share}%` }} data-part="answering" />
        </div>
      )}
      <dl className={classes.parts}>
        {first !== null && (
          <>
            <div>
              <dt data-part="waiting">{t('activity.first_token')}</dt>
              <dd>{formatDuration(first, i18n.language)}</dd>
            </div>
            <div>
              <dt data-part="answering">{t('activity.answering')}</dt>
              <dd>{formatDuration(data.timings?.generation_ms ?? total - first, i18n.language)}</dd>
            </div>
          </>
        )}
        <div>
          <dt>{t('activity.whole')}</dt>
          <dd>{formatDuration(total, i18n.language)}</dd>
        </div>
      </dl>
    </>
  );
}
