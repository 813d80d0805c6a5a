import { Group, Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { formatDuration } from '../../ui/numbers';
import { StatusDot } from '../../ui/StatusDot';
import { Time } from '../../ui/Time';
import { useChannelTests } from './channel_tests';

/** How the last test from this browser went; a dash where there was none. */
export function LastTest({ channel }: { channel: string }) {
  const { t, i18n } = useTranslation();
  const result = useChannelTests(({ results }) => results[channel]);
  if (!result) return <span>–</span>;
  return (
    <Stack gap={2}>
      <Group gap={8} wrap="nowrap">
        <StatusDot tone={result.ok ? 'good' : 'bad'} />
        <Text size="sm" component="span" style={{ whiteSpace: 'nowrap' }}>
          {result.ok
            ? t('admin.test_passed', { time: formatDuration(result.latency_ms, i18n.language) })
            : t('admin.test_not_passed', { time: formatDuration(result.latency_ms, i18n.language) })}
        </Text>
      </Group>
      <Text size="xs" c="dimmed" component="span" title={result.model}>
        <Time at={result.at} />
      </Text>
      {result.error && (
        <Text size="xs" c="dimmed" component="span" lineClamp={2} maw="16rem" title={result.error}>
          {result.error}
        </Text>
      )}
    </Stack>
  );
}
