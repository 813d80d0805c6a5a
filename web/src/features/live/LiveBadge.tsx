import { Group, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { StatusDot } from '../../ui/StatusDot';
import { useLiveStatus } from './store';

const OLD_AFTER_MS = 30_000;

/** How fresh the numbers beside it are: pushed, asked for every few seconds, or old. */
export function LiveBadge({ updatedAt, failed }: { updatedAt: number; failed: boolean }) {
  const { t, i18n } = useTranslation();
  const status = useLiveStatus((state) => state.status);
  const now = useNow(5_000);
  // Nothing came yet: the page says why, and there is nothing to be fresh or old.
  if (updatedAt === 0) return null;
  const old = failed || (status !== 'live' && now - updatedAt > OLD_AFTER_MS);
  const since = new Date(updatedAt).toLocaleTimeString(i18n.language);
  const text = old ? t('live.old', { since }) : status === 'live' ? t('live.live') : t('live.polling', { since });
  return (
    <Group gap={8} wrap="nowrap" role="status">
      <StatusDot tone={old ? 'bad' : status === 'live' ? 'good' : 'fair'} />
      <Text size="sm" c="dimmed" component="span">
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
