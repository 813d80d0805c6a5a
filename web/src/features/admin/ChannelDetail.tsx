import { Badge, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import { DataTable } from '../../ui/DataTable';
import { Detail, DetailSection } from '../../ui/Detail';
import { Fact, Facts } from '../../ui/Facts';
import { formatCount, formatDuration, formatShare } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { StatusDot } from '../../ui/StatusDot';
import { Time } from '../../ui/Time';
import { useLiveInterval } from '../live/store';
import { type ChannelHealthDetail, HEALTH_TONES, type HealthState, type HealthWindow, WINDOWS } from './channel_health';

/** How a channel, each of its keys and each of its models does. */
export function ChannelDetail({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const { t } = useTranslation();
  const health = useQuery({
    ...adminQuery<ChannelHealthDetail>(`channels/${encodeURIComponent(id)}/health`),
    enabled: id !== '',
    refetchInterval: useLiveInterval(),
  });
  return (
    <Detail title={name} opened={id !== ''} onClose={onClose}>
      <QueryView query={health} height={420}>
        {(data) => (
          <>
            <Now health={data} />
            <DetailSection title={t('admin.attempts')}>
              <Attempts health={data} />
            </DetailSection>
            {data.models.length > 0 && (
              <DetailSection title={t('nav.models')}>
                <Models health={data} />
              </DetailSection>
            )}
            {data.keys.length > 0 && (
              <DetailSection title={t('admin.channel_keys')}>
                <Keys health={data} />
              </DetailSection>
            )}
          </>
        )}
      </QueryView>
    </Detail>
  );
}

export function HealthWord({ state }: { state: HealthState }) {
  const { t } = useTranslation();
  return (
    <Group gap={8} wrap="nowrap" style={{ display: 'inline-flex' }}>
      <StatusDot tone={HEALTH_TONES[state] ?? 'none'} />
      <span>{t(`health.${state}`)}</span>
    </Group>
  );
}

function Now({ health }: { health: ChannelHealthDetail }) {
  const { t, i18n } = useTranslation();
  const { breaker } = health;
  return (
    <Facts>
      <Fact label={t('admin.health')}>
        <HealthWord state={health.status} />
      </Fact>
      <Fact label={t('admin.breaker')}>
        {t(`breaker.${breaker.state}`)}
        {breaker.open_until && breaker.state === 'open' && (
          <>
            {' · '}
            {t('admin.until')} <Time at={breaker.open_until} />
          </>
        )}
      </Fact>
      {health.cooling_until && (
        <Fact label={t('admin.cooling')}>
          <Time at={health.cooling_until} />
        </Fact>
      )}
      <Fact label={t('admin.in_flight')}>{formatCount(health.requests_in_flight, i18n.language)}</Fact>
      <Fact label={t('admin.failures_in_row')}>{formatCount(health.consecutive_failures, i18n.language)}</Fact>
      <Fact label={t('admin.last_success')}>
        <Time at={health.last_success_at} />
      </Fact>
      <Fact label={t('admin.last_failure')}>
        <Time at={health.last_failure_at} />
      </Fact>
      <Fact label={t('admin.last_check')}>
        <Time at={health.last_check_at} />
      </Fact>
    </Facts>
  );
}

type Measure = [name: string, of: (window: HealthWindow) => string];

function Attempts({ health }: { health: ChannelHealthDetail }) {
  const { t, i18n } = useTranslation();
  const count = (value: number) => formatCount(value, i18n.language);
  const time = (value: number | null) => formatDuration(value === null ? null : Math.round(value), i18n.language);
  const measures: Measure[] = [
    [t('admin.succeeded'), (window) => count(window.success)],
    [t('admin.failed'), (window) => count(window.error)],
    [t('admin.rate_limited'), (window) => count(window.rate_limited)],
    [t('admin.success_rate'), (window) => formatShare(window.success_rate, i18n.language)],
    [t('admin.first_token'), (window) => time(window.average_time_to_first_token_ms)],
    [t('admin.whole_answer'), (window) => time(window.average_latency_ms)],
    [
      t('admin.throughput'),
      (window) =>
        window.throughput === null ? '–' : t('playground.speed', { rate: count(Math.round(window.throughput)) }),
    ],
  ];
  return (
    <DataTable
      label={t('admin.attempts')}
      rows={measures}
      rowKey={([name]) => name}
      columns={[
        { key: 'name', header: '', heading: true, cell: ([name]) => name },
        ...WINDOWS.map((window) => ({
          key: window,
          header: t(`window.${window}`),
          numeric: true,
          cell: ([, of]: Measure) => of(health[window]),
        })),
      ]}
    />
  );
}

function Models({ health }: { health: ChannelHealthDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <DataTable
      label={t('nav.models')}
      rows={health.models}
      rowKey={(row) => row.id}
      columns={[
        {
          key: 'model',
          header: t('playground.model'),
          heading: true,
          cell: (row) => (
            <Group gap={6}>
              <Text size="sm" component="span" style={{ overflowWrap: 'anywhere' }}>
                {row.id}
              </Text>
              {row.is_missing && (
                <Badge size="sm" color="red" variant="light" tt="none" fw={500}>
                  {t('admin.missing_model')}
                </Badge>
              )}
            </Group>
          ),
        },
        { key: 'health', header: t('admin.health'), cell: (row) => <HealthWord state={row.status} /> },
        {
          key: 'rate',
          header: t('admin.success_rate_day'),
          numeric: true,
          cell: (row) => formatShare(row.last_1d.success_rate, i18n.language),
        },
        {
          key: 'ttft',
          header: t('admin.first_token_p50'),
          numeric: true,
          cell: (row) =>
            formatDuration(row.latency_last_30m ? Math.round(row.latency_last_30m.p50) : null, i18n.language),
        },
      ]}
    />
  );
}

function Keys({ health }: { health: ChannelHealthDetail }) {
  const { t } = useTranslation();
  return (
    <Facts>
      {health.keys.map((key) => (
        <Fact key={key.fingerprint} label={key.fingerprint}>
          {t(`channel_key.${key.status}`)}
          {key.until && (
            <>
              {' · '}
              {t('admin.until')} <Time at={key.until} />
            </>
          )}
        </Fact>
      ))}
    </Facts>
  );
}
