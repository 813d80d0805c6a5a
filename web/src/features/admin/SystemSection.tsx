import { Badge, Group, Stack, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { SystemReport } from '../../api/app_types';
import { DataTable } from '../../ui/DataTable';
import { Figure, Figures } from '../../ui/Figure';
import { formatCount, formatDuration } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { StatusDot } from '../../ui/StatusDot';
import { Surface } from '../../ui/Surface';
import { Time } from '../../ui/Time';

const ASKED_EVERY_MS = 10_000;

export function SystemSection() {
  const report = useQuery({ ...adminQuery<SystemReport>('system'), refetchInterval: ASKED_EVERY_MS });
  return (
    <QueryView query={report} height={420}>
      {(data) => <Report report={data} />}
    </QueryView>
  );
}

const LAGS = ['ledger_events', 'ledger_seconds', 'projector_events', 'projector_seconds', 'spool_events'] as const;

function Report({ report }: { report: SystemReport }) {
  const { t, i18n } = useTranslation();
  return (
    <Stack gap="xl">
      <Surface>
        <Figures>
          <Figure label={t('admin.version')}>{report.version}</Figure>
          <Figure label={t('admin.shape')}>
            {report.shape === 'embedded' || report.shape === 'distributed' ? t(`shape.${report.shape}`) : report.shape}
          </Figure>
          <Figure label={t('admin.uptime')}>{duration(report.uptime_seconds, i18n.language)}</Figure>
        </Figures>
      </Surface>
      <section>
        <Title order={2} fz="h4" mb="sm">
          {t('admin.lag')}
        </Title>
        <Surface>
          <Figures>
            {LAGS.filter((name) => report.lag[name] !== undefined).map((name) => {
              const value = report.lag[name];
              return (
                <Figure key={name} label={t(`lag.${name}`)}>
                  {value === null || value === undefined ? '–' : formatCount(value, i18n.language)}
                </Figure>
              );
            })}
          </Figures>
        </Surface>
      </section>
      <section>
        <Title order={2} fz="h4" mb="sm">
          {t('admin.backends')}
        </Title>
        <DataTable
          label={t('admin.backends')}
          rows={report.backends}
          rowKey={(row) => row.name}
          columns={[
            { key: 'name', header: t('keys.name'), heading: true, cell: (row) => backendName(row.name, t) },
            { key: 'kind', header: t('credits.kind'), cell: (row) => row.kind },
            { key: 'url', header: t('settings.address'), wide: true, cell: (row) => row.url },
            {
              key: 'ok',
              header: t('activity.status'),
              cell: (row) => (
                <Group gap={8} wrap="nowrap" style={{ display: 'inline-flex' }}>
                  <StatusDot tone={row.ok ? 'good' : 'bad'} />
                  {t(row.ok ? 'admin.answers' : 'admin.silent')}
                </Group>
              ),
            },
            {
              key: 'latency',
              header: t('activity.time'),
              numeric: true,
              cell: (row) => formatDuration(row.latency_ms, i18n.language),
            },
          ]}
        />
      </section>
      {report.gateways.length > 0 && (
        <section>
          <Title order={2} fz="h4" mb="sm">
            {t('admin.gateways')} <Badge variant="default">{report.gateways.length}</Badge>
          </Title>
          <DataTable
            label={t('admin.gateways')}
            rows={report.gateways}
            rowKey={(row) => row.id}
            columns={[
              { key: 'id', header: 'ID', heading: true, cell: (row) => row.id },
              { key: 'address', header: t('settings.address'), cell: (row) => row.address ?? '–' },
              { key: 'seen', header: t('settings.seen'), cell: (row) => <Time at={row.last_seen_at} /> },
            ]}
          />
        </section>
      )}
    </Stack>
  );
}

function backendName(name: string, t: TFunction): string {
  const known = (['database', 'events', 'balance', 'analytics'] as const).find((one) => one === name);
  return known ? t(`backend.${known}`) : name;
}

function duration(seconds: number, language: string): string {
  const units = [
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
    ['second', 1],
  ] as const;
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? (['second', 1] as const);
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.floor(seconds / size),
  );
}
