import { Button, Group, NativeSelect, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { appsQuery, authorsQuery, type Period, rankingSeriesQuery, rankingsQuery } from '../../api/app_queries';
import type { Ranking } from '../../api/app_types';
import { withQuery } from '../../api/client';
import { PERIODS, RANKING_KINDS, type RankingKind } from '../../app/search';
import { formatUsd } from '../../money/decimal';
import { Change } from '../../ui/Change';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { ExternalText } from '../../ui/ExternalText';
import { DownloadIcon } from '../../ui/icons';
import { formatCompact, formatMoment } from '../../ui/numbers';
import { PageHeader } from '../../ui/PageHeader';
import { QueryView } from '../../ui/QueryView';
import { ShareBar } from '../../ui/ShareBar';
import { StatChart } from '../../ui/StatChart';
import { Surface } from '../../ui/Surface';
import { AuthorShares } from './AuthorShares';

const route = getRouteApi('/rankings');

export function RankingsPage() {
  const { t } = useTranslation();
  const { period = 'week', kind = 'tokens' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <>
      <PageHeader title={t('rankings.title')} lead={t('rankings.lead')}>
        <SegmentedControl
          value={period}
          onChange={(value) =>
            navigate({ search: (before) => ({ ...before, period: value as Period }), replace: true })
          }
          aria-label={t('rankings.period')}
          data={PERIODS.map((value) => ({ value, label: t(`rankings.${value}`) }))}
        />
      </PageHeader>
      <Stack gap="xl">
        <Tokens period={period} />
        <Leaderboard period={period} kind={kind} />
        <section>
          <Title order={2} fz="h4" mb="sm">
            {t('rankings.authors')}
          </Title>
          <AuthorShares query={useQuery(authorsQuery(period, kind))} />
        </section>
        <Apps period={period} />
      </Stack>
    </>
  );
}

function Tokens({ period }: { period: Period }) {
  const { t, i18n } = useTranslation();
  const series = useQuery(rankingSeriesQuery(period));
  return (
    <Surface>
      <Title order={2} fz="h4" mb="xs">
        {t('rankings.tokens_title')}
      </Title>
      <QueryView
        query={series}
        height={380}
        isEmpty={(data) => data.series.every((one) => one.values.every((value) => value === 0))}
        empty={<Text c="dimmed">{t('rankings.no_traffic')}</Text>}
      >
        {(data) => (
          <StatChart
            label={t('rankings.tokens_title')}
            kind="bars"
            height={340}
            at={data.periods.map((at) => formatMoment(at, 'day', i18n.language))}
            series={data.series.filter(isDrawn).map((one) => ({
              name: one.model === 'others' ? t('rankings.others') : one.model,
              values: one.values,
            }))}
            format={(value) => formatCompact(value, i18n.language)}
          />
        )}
      </QueryView>
    </Surface>
  );
}

/** There may be no others. */
function isDrawn(one: { model: string; values: readonly number[] }): boolean {
  return one.model !== 'others' || one.values.some((value) => value > 0);
}

function Leaderboard({ period, kind }: { period: Period; kind: RankingKind }) {
  const { t, i18n } = useTranslation();
  const navigate = route.useNavigate();
  const rankings = useQuery(rankingsQuery(period, kind));
  const value = (row: Ranking) =>
    kind === 'spend' ? formatUsd(row.value, i18n.language) : formatCompact(Number(row.value), i18n.language);
  return (
    <section>
      <Group justify="space-between" mb="sm">
        <div>
          <Title order={2} fz="h4">
            {t('rankings.models')}
          </Title>
          <Text size="sm" c="dimmed">
            {t(`rankings.so_far.${period}`)}
          </Text>
        </div>
        <Group gap="sm">
          <NativeSelect
            size="xs"
            aria-label={t('rankings.by')}
            value={kind}
            onChange={(event) =>
              navigate({
                search: (before) => ({ ...before, kind: event.currentTarget.value as RankingKind }),
                replace: true,
                resetScroll: false,
              })
            }
            data={RANKING_KINDS.map((one) => ({ value: one as string, label: t(`rankings.kind.${one}`) }))}
          />
          <Button
            size="xs"
            variant="default"
            leftSection={<DownloadIcon />}
            component="a"
            href={withQuery('/api/app/rankings.csv', { period, kind })}
            download
          >
            CSV
          </Button>
        </Group>
      </Group>
      <QueryView
        query={rankings}
        height={320}
        empty={<EmptyState title={t('rankings.empty_title')} text={t('rankings.empty')} />}
      >
        {(rows) => (
          <DataTable
            label={t('rankings.models')}
            rows={rows}
            rowKey={(row) => row.model}
            columns={[
              { key: 'rank', header: '#', narrow: true, cell: (row) => <Rank row={row} /> },
              {
                key: 'model',
                header: t('playground.model'),
                heading: true,
                cell: (row) => <ModelLink id={row.model} />,
              },
              { key: 'value', header: t(`rankings.kind.${kind}`), numeric: true, cell: value },
              {
                key: 'share',
                header: t('rankings.share'),
                cell: (row) => <ShareBar share={row.share} />,
              },
              {
                key: 'change',
                header: t('rankings.change'),
                numeric: true,
                cell: (row) => <Change value={row.change} />,
              },
            ]}
          />
        )}
      </QueryView>
    </section>
  );
}

/** The place now, and where it was. */
function Rank({ row }: { row: Ranking }) {
  const { t } = useTranslation();
  const moved = row.previous_rank === null ? 0 : row.previous_rank - row.rank;
  return (
    <Group gap={6} wrap="nowrap" style={{ display: 'inline-flex' }}>
      <Text fw={650} size="sm" component="span">
        {row.rank}
      </Text>
      {moved !== 0 && (
        <Text size="xs" c="dimmed" component="span" title={t('rankings.was', { rank: row.previous_rank })}>
          {moved > 0 ? `↑${moved}` : `↓${-moved}`}
        </Text>
      )}
    </Group>
  );
}

export function ModelLink({ id }: { id: string }) {
  const [author = '', ...rest] = id.split('/');
  if (rest.length === 0) return <span>{id}</span>;
  return (
    <Link
      to="/models/$author/$slug"
      params={{ author, slug: rest.join('/') }}
      style={{ color: 'inherit', fontWeight: 550, textDecoration: 'none' }}
    >
      {id}
    </Link>
  );
}

function Apps({ period }: { period: Period }) {
  const { t, i18n } = useTranslation();
  const apps = useQuery(appsQuery(period));
  return (
    <section>
      <Title order={2} fz="h4" mb="sm">
        {t('rankings.apps')}
      </Title>
      <QueryView
        query={apps}
        height={160}
        empty={<EmptyState title={t('rankings.no_apps_title')} text={t('rankings.no_apps')} />}
      >
        {(rows) => (
          <DataTable
            label={t('rankings.apps')}
            rows={rows}
            rowKey={(row) => `${row.rank}`}
            columns={[
              { key: 'rank', header: '#', narrow: true, cell: (row) => row.rank },
              {
                key: 'app',
                header: t('activity.app'),
                heading: true,
                cell: (row) => <ExternalText name={row.app.name ?? row.app.url ?? '–'} url={row.app.url} />,
              },
              {
                key: 'tokens',
                header: t('rankings.kind.tokens'),
                numeric: true,
                cell: (row) => formatCompact(row.tokens, i18n.language),
              },
              {
                key: 'requests',
                header: t('rankings.kind.requests'),
                numeric: true,
                cell: (row) => formatCompact(row.requests, i18n.language),
              },
              {
                key: 'share',
                header: t('rankings.share'),
                cell: (row) => <ShareBar share={row.share} />,
              },
            ]}
          />
        )}
      </QueryView>
    </section>
  );
}
