import { Button, Group, NativeSelect, Select, Text, Title, UnstyledButton } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { generationsQuery, keysQuery } from '../../api/app_queries';
import type { GenerationRow } from '../../api/app_types';
import { everyModelQuery } from '../../api/queries';
import { type ActivitySearch, activitySearch, requestFilters, STATUSES } from '../../app/search';
import { DateRange } from '../../ui/DateRange';
import { endOfDay, startOfDay } from '../../ui/days';
import { EmptyState } from '../../ui/EmptyState';
import { Filters } from '../../ui/Filters';
import { formatCompact, formatDuration } from '../../ui/numbers';
import { PagedTable } from '../../ui/PagedTable';
import { StatusDot } from '../../ui/StatusDot';
import { Time } from '../../ui/Time';
import { useWords } from '../../ui/words';
import { LiveBadge } from '../live/LiveBadge';
import { useLiveInterval } from '../live/store';
import { useViewer } from '../session/store';
import classes from './activity.module.css';

const route = getRouteApi('/activity');
const TONES = { ok: 'good', error: 'bad', cancelled: 'fair', released: 'none', expired: 'none' } as const;

/** The requests of the account, newest first, as they happen. */
export function GenerationList({ account }: { account: string }) {
  const { t, i18n } = useTranslation();
  const search = requestFilters(route.useSearch());
  const filters = { ...search, from: startOfDay(search.from), to: endOfDay(search.to) };
  const generations = useInfiniteQuery({ ...generationsQuery(account, filters), refetchInterval: useLiveInterval() });
  const filtered = Object.keys(search).length > 0;
  const isNew = useArrivals(generations.data?.pages.flatMap((page) => page.data));
  return (
    <section aria-label={t('activity.requests_title')}>
      <Group justify="space-between" mb="sm" gap="sm">
        <Title order={2} fz="h4">
          {t('activity.requests_title')}
        </Title>
        <LiveBadge updatedAt={generations.dataUpdatedAt} failed={generations.isError} />
      </Group>
      <Narrow account={account} />
      <PagedTable
        query={generations}
        label={t('activity.requests_title')}
        rowKey={(row) => row.id}
        fresh={isNew}
        empty={
          filtered ? (
            <EmptyState title={t('common.no_match')} text={t('common.no_match_text')} />
          ) : (
            <EmptyState title={t('activity.empty_title')} text={t('activity.empty')}>
              <Button renderRoot={(props) => <Link to="/playground" {...props} />}>{t('home.try')}</Button>
            </EmptyState>
          )
        }
        columns={[
          { key: 'at', header: t('common.when'), cell: (row) => <Opens row={row} /> },
          { key: 'model', header: t('playground.model'), heading: true, cell: (row) => <ModelCell row={row} /> },
          { key: 'key', header: t('activity.key'), wide: true, cell: (row) => row.key?.name ?? '–' },
          { key: 'app', header: t('activity.app'), wide: true, cell: (row) => appName(row) ?? '–' },
          { key: 'status', header: t('activity.status'), cell: (row) => <Status row={row} /> },
          {
            key: 'tokens',
            header: t('activity.tokens'),
            numeric: true,
            cell: (row) => {
              const input = formatCompact(row.tokens.prompt, i18n.language);
              // Embeddings have no output, and what failed has none.
              if (row.tokens.completion === 0) return input;
              return t('activity.in_out', { input, output: formatCompact(row.tokens.completion, i18n.language) });
            },
          },
          {
            key: 'time',
            header: t('activity.time'),
            numeric: true,
            wide: true,
            cell: (row) => formatDuration(row.latency_ms, i18n.language),
          },
          { key: 'cost', header: t('activity.cost'), amount: (row) => row.cost, strong: true },
        ]}
      />
    </section>
  );
}

function Narrow({ account }: { account: string }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const models = useQuery(everyModelQuery);
  const viewer = useViewer();
  const keys = useQuery({ ...keysQuery(account), enabled: viewer?.is('owner', 'admin', 'member') ?? false });
  const set = (change: Partial<Record<keyof ActivitySearch, string | undefined>>) =>
    navigate({ search: (before) => ({ ...before, ...change }) as ActivitySearch, replace: true, resetScroll: false });
  const filtered = Object.keys(requestFilters(search)).length > 0;
  return (
    <Filters>
      <Select
        size="xs"
        aria-label={t('playground.model')}
        placeholder={t('activity.all_models')}
        data={(models.data ?? []).map(({ id }) => id)}
        value={search.model ?? null}
        onChange={(model) => set({ model: model ?? undefined })}
        searchable
        clearable
        limit={50}
      />
      {(keys.data ?? []).length > 0 && (
        <NativeSelect
          size="xs"
          aria-label={t('activity.key')}
          value={search.key ?? ''}
          onChange={(event) => set({ key: event.currentTarget.value || undefined })}
          data={[
            { value: '', label: t('activity.all_keys') },
            ...(keys.data ?? []).map((key) => ({ value: key.hash, label: key.name })),
          ]}
        />
      )}
      <NativeSelect
        size="xs"
        aria-label={t('activity.status')}
        value={search.status ?? ''}
        onChange={(event) => set({ status: event.currentTarget.value || undefined })}
        data={[
          { value: '', label: t('activity.any_status') },
          ...STATUSES.map((status) => ({ value: status as string, label: t(`status.${status}`) })),
        ]}
      />
      <DateRange from={search.from} to={search.to} onChange={set} />
      {filtered && (
        <Button
          size="xs"
          variant="subtle"
          onClick={() =>
            navigate({
              search: ({ range, show }) => activitySearch({ range, show }),
              replace: true,
              resetScroll: false,
            })
          }
        >
          {t('common.show_all')}
        </Button>
      )}
    </Filters>
  );
}

function Opens({ row }: { row: GenerationRow }) {
  const { t } = useTranslation();
  const navigate = route.useNavigate();
  return (
    <UnstyledButton
      className={classes.opens ?? ''}
      aria-label={`${t('activity.details')}: ${row.id}`}
      onClick={() => navigate({ search: (before) => ({ ...before, generation: row.id }), resetScroll: false })}
    >
      <Time at={row.created_at} />
    </UnstyledButton>
  );
}

function ModelCell({ row }: { row: GenerationRow }) {
  const provider = providerName(row);
  return (
    <div>
      <Text size="sm" fw={550} component="div">
        {row.model}
      </Text>
      {provider && (
        <Text size="xs" c="dimmed" component="div">
          {provider}
        </Text>
      )}
    </div>
  );
}

export function Status({ row }: { row: GenerationRow }) {
  const { t } = useTranslation();
  const errorName = useWords('error_type');
  return (
    <div>
      <Group gap={8} wrap="nowrap" style={{ display: 'inline-flex' }}>
        <StatusDot tone={TONES[row.status] ?? 'none'} />
        <span>{t(`status.${row.status}`)}</span>
      </Group>
      {row.error_type && (
        <Text size="xs" c="dimmed" component="div" title={row.error_type}>
          {errorName(row.error_type)}
        </Text>
      )}
    </div>
  );
}

export function providerName(row: GenerationRow): string | null {
  return row.provider_name ?? row.provider ?? row.endpoint ?? null;
}

export function appName(row: GenerationRow): string | null {
  return typeof row.app === 'string' ? row.app : (row.app?.name ?? null);
}

/** Which rows came in after the list was first shown. */
function useArrivals(rows: readonly GenerationRow[] | undefined): (row: GenerationRow) => boolean {
  const since = useRef<string | null>(null);
  const first = rows?.[0]?.created_at;
  useEffect(() => {
    if (since.current === null && first !== undefined) since.current = first;
  }, [first]);
  return (row) => since.current !== null && row.created_at > since.current;
}
