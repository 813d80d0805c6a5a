import { Group, Text, VisuallyHidden } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { StatusDot } from '../../ui/StatusDot';
import { useLiveStatus } from './store';

const OLD_AFTER_MS = 30_000;

/** How fresh the numbers beside it are: pushed, asked for every few seconds, or old. */
export function LiveBadge({ updatedAt, failed }: { updatedAt: number; failed: boolean }) {
  const { t, i18n } = useTranslation();
  const status = useLiveStatus((state) => state.status);
  const now = useNow(5_000);
  const announced = useRef({ state: '', text: '' });
  // Nothing came yet: the page says why, and there is nothing to be fresh or old.
  if (updatedAt === 0) return null;
  const old = failed || (status !== 'live' && now - updatedAt > OLD_AFTER_MS);
  const since = new Date(updatedAt).toLocaleTimeString(i18n.language);
  const text = old ? t('live.old', { since }) : status === 'live' ? t('live.live') : t('live.polling', { since });
  const state = old ? 'old' : status;
  // The time goes on all the while; what is worth saying is that something changed.
  if (announced.current.state !== state) announced.current = { state, text };
  return (
    <Group gap={8} wrap="nowrap">
      <VisuallyHidden role="status">{announced.current.text}</VisuallyHidden>
      <StatusDot tone={old ? 'bad' : status === 'live' ? 'good' : 'fair'} />
      <Text size="sm" c="dimmed" component="span" aria-hidden>
        {text}
      </Text>
    </Group>
  );
}

function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
