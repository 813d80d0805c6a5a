import { Group, SegmentedControl, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { endpointSeriesQuery } from '../../api/app_queries';
import type { EndpointMetric } from '../../api/app_types';
import type { Model } from '../../api/types';
import { formatCompact, formatDuration, formatMoment, formatShare } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { StatChart } from '../../ui/StatChart';
import { Surface } from '../../ui/Surface';
import { answers } from './select';

const METRICS: readonly EndpointMetric[] = ['time_to_first_token', 'throughput', 'uptime'];
/** An embedding comes at once: it has no speed, and its first token is all of it. */
const METRICS_OF_EMBEDDINGS = METRICS.filter((metric) => metric !== 'throughput');

/** How well each endpoint has answered. */
export function EndpointCharts({ model, range }: { model: Model; range: string }) {
  const { t, i18n } = useTranslation();
  const [metric, setMetric] = useState<EndpointMetric>('time_to_first_token');
  const series = useQuery(endpointSeriesQuery(model.id, metric, range));
  const embeds = !answers(model);
  const word = embeds && metric === 'time_to_first_token' ? 'answer_time' : metric;
  const format = (value: number) =>
    metric === 'uptime'
      ? formatShare(value / 100, i18n.language)
      : metric === 'throughput'
        ? formatCompact(value, i18n.language)
        : formatDuration(Math.round(value), i18n.language);
  return (
    <Surface>
      <Group justify="space-between" mb="xs">
        <Title order={3} fz="md">
          {t(`model.metric.${word}`)}
        </Title>
        <SegmentedControl
          size="xs"
          value={metric}
          onChange={(value) => setMetric(value as EndpointMetric)}
          aria-label={t('activity.measure')}
          data={(embeds ? METRICS_OF_EMBEDDINGS : METRICS).map((value) => ({
            value: value as string,
            label: t(`model.short.${embeds && value === 'time_to_first_token' ? 'answer_time' : value}`),
          }))}
        />
      </Group>
      <QueryView
        query={series}
        height={300}
        isEmpty={(data) =>
          data.points.every((point) => Object.values(point.endpoints).every((value) => value === null))
        }
        empty={<Text c="dimmed">{t('rankings.no_traffic')}</Text>}
      >
        {(data) => {
          const names = [...new Set(data.points.flatMap((point) => Object.keys(point.endpoints)))];
          return (
            <StatChart
              label={t(`model.metric.${word}`)}
              kind="lines"
              height={240}
              at={data.points.map((point) => formatMoment(point.at, data.interval, i18n.language))}
              series={names.map((name) => ({
                name,
                values: data.points.map((point) => point.endpoints[name] ?? null),
              }))}
              format={format}
            />
          );
        }}
      </QueryView>
    </Surface>
  );
}
