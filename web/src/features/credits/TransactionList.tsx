import { Anchor, Button, Group, NativeSelect, Text, Title } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { appPath, transactionsQuery } from '../../api/app_queries';
import { TRANSACTION_KINDS, type Transaction, type TransactionKind } from '../../api/app_types';
import { withQuery } from '../../api/client';
import type { creditsSearch } from '../../app/search';
import { DateRange, type DayRange } from '../../ui/DateRange';
import { endOfDay, startOfDay } from '../../ui/days';
import { EmptyState } from '../../ui/EmptyState';
import { Filters } from '../../ui/Filters';
import { DownloadIcon } from '../../ui/icons';
import { PagedTable } from '../../ui/PagedTable';
import { Time } from '../../ui/Time';
import { useLiveInterval } from '../live/store';

const route = getRouteApi('/credits');

/** Every movement of the balance, each leading to the request and the entry in the books behind it. */
export function TransactionList({ account }: { account: string }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const filters = {
    kind: search.kind,
    from: startOfDay(search.from),
    to: endOfDay(search.to),
    generation_id: search.generation,
  };
  const transactions = useInfiniteQuery({ ...transactionsQuery(account, filters), refetchInterval: useLiveInterval() });
  const set = (change: { kind?: string | undefined; generation?: string | undefined } & DayRange) =>
    navigate({
      search: (before) => ({ ...before, ...change }) as ReturnType<typeof creditsSearch>,
      replace: true,
      resetScroll: false,
    });
  const filtered = Object.values(search).some((value) => value !== undefined);

  return (
    <section aria-label={t('credits.transactions')}>
      <Group justify="space-between" align="flex-end" gap="xs">
        <Title order={2} fz="h4" mb="sm">
          {t('credits.transactions')}
        </Title>
        <Filters>
          <NativeSelect
            size="xs"
            aria-label={t('credits.kind')}
            value={search.kind ?? ''}
            onChange={(event) =>
              set({ kind: event.currentTarget.value === '' ? undefined : event.currentTarget.value })
            }
            data={[
              { value: '', label: t('credits.all_kinds') },
              ...TRANSACTION_KINDS.map((kind) => ({ value: kind as string, label: t(`transaction.${kind}`) })),
            ]}
          />
          <DateRange from={search.from} to={search.to} onChange={set} />
          <Button
            size="xs"
            variant="default"
            leftSection={<DownloadIcon />}
            component="a"
            href={withQuery(appPath(account, '/transactions.csv'), filters)}
            download
          >
            CSV
          </Button>
        </Filters>
      </Group>
      {search.generation && (
        <Group mb="sm" gap="xs">
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {t('credits.of_request', { id: search.generation })}
          </Text>
          <Button size="compact-xs" variant="default" onClick={() => set({ generation: undefined })}>
            {t('common.show_all')}
          </Button>
        </Group>
      )}
      <PagedTable
        query={transactions}
        label={t('credits.transactions')}
        rowKey={(row) => row.id}
        empty={
          <EmptyState
            title={t(filtered ? 'common.no_match' : 'credits.empty_title')}
            text={t(filtered ? 'common.no_match_text' : 'credits.empty')}
          />
        }
        columns={[
          { key: 'at', header: t('common.when'), cell: (row) => <Time at={row.created_at} /> },
          { key: 'kind', header: t('credits.kind'), heading: true, cell: (row) => <Kind kind={row.kind} /> },
          { key: 'what', header: t('credits.what'), full: true, cell: (row) => <What of={row} /> },
          { key: 'key', header: t('credits.key'), wide: true, cell: (row) => row.key?.name ?? '–' },
          {
            key: 'amount',
            header: t('credits.amount'),
            amount: (row) => row.amount,
            strong: true,
          },
          {
            key: 'after',
            header: t('credits.after'),
            wide: true,
            amount: (row) => row.balance_after,
          },
        ]}
      />
    </section>
  );
}

function Kind({ kind }: { kind: TransactionKind }) {
  const { t } = useTranslation();
  return <span>{TRANSACTION_KINDS.includes(kind) ? t(`transaction.${kind}`) : kind}</span>;
}

function What({ of: row }: { of: Transaction }) {
  const { t } = useTranslation();
  const text = row.model ?? row.reason ?? row.reference;
  return (
    <Group gap="xs" wrap="wrap">
      {row.generation_id ? (
        <Anchor
          inherit
          renderRoot={(props) => <Link to="/activity" search={{ generation: row.generation_id ?? '' }} {...props} />}
        >
          {text ?? t('credits.request')}
        </Anchor>
      ) : (
        <span>{text ?? '–'}</span>
      )}
      {row.generation_id && (
        <Anchor
          size="xs"
          c="dimmed"
          renderRoot={(props) => <Link to="/finance" search={{ generation: row.generation_id ?? '' }} {...props} />}
        >
          {t('credits.entry')}
        </Anchor>
      )}
    </Group>
  );
}
