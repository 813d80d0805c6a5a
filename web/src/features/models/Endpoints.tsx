import { Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { endpointsQuery } from '../../api/queries';
import type { Endpoint, Model } from '../../api/types';
import { type Column, DataTable } from '../../ui/DataTable';
import { formatCount, formatDuration, formatShare } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { formatTokens } from '../../ui/tokens';
import { PerMillion } from './Price';
import { answers } from './select';

/** Who answers for the model, and how well. */
export function Endpoints({ model }: { model: Model }) {
  const { t, i18n } = useTranslation();
  const endpoints = useQuery(endpointsQuery(model.id));
  // A model that embeds has no output to pay for or to wait for.
  const hasOutput = answers(model);
  return (
    <section>
      <Title order={2} fz="h4">
        {t('model.endpoints')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t(hasOutput ? 'model.endpoints_window' : 'model.endpoints_window_embeds')}
      </Text>
      <QueryView query={endpoints} height={160} empty={<Text c="dimmed">{t('model.no_endpoints')}</Text>}>
        {(rows) => (
          <DataTable
            label={t('model.endpoints')}
            rows={rows}
            rowKey={(row) => `${row.tag ?? ''} ${row.name}`}
            columns={[
              {
                key: 'provider',
                header: t('generation.provider'),
                heading: true,
                cell: (row) => row.provider_name ?? row.name,
              },
              {
                key: 'input',
                header: t('models.input'),
                numeric: true,
                cell: (row) => <PerMillion perToken={row.pricing?.prompt} />,
              },
              ...only(hasOutput, {
                key: 'output',
                header: t('models.output'),
                numeric: true,
                cell: (row) => <PerMillion perToken={row.pricing?.completion} />,
              }),
              {
                key: 'context',
                header: t('models.context_title'),
                numeric: true,
                cell: (row) => (row.context_length ? formatTokens(row.context_length, i18n.language) : '–'),
              },
              {
                key: 'latency',
                header: t(hasOutput ? 'model.short.time_to_first_token' : 'model.short.answer_time'),
                numeric: true,
                cell: (row) =>
                  formatDuration(
                    row.latency_last_30m ? Math.round(Number(row.latency_last_30m.p50)) : null,
                    i18n.language,
                  ),
              },
              ...only(hasOutput, {
                key: 'speed',
                header: t('model.short.throughput'),
                numeric: true,
                cell: (row) =>
                  row.throughput_last_30m
                    ? t('playground.speed', {
                        rate: formatCount(Math.round(Number(row.throughput_last_30m.p50)), i18n.language),
                      })
                    : '–',
              }),
              {
                key: 'uptime',
                header: t('model.uptime'),
                numeric: true,
                cell: (row) =>
                  row.uptime_last_30m === null || row.uptime_last_30m === undefined
                    ? '–'
                    : formatShare(Number(row.uptime_last_30m) / 100, i18n.language),
              },
            ]}
          />
        )}
      </QueryView>
    </section>
  );
}

function only(wanted: boolean, column: Column<Endpoint>): Column<Endpoint>[] {
  return wanted ? [column] : [];
}
