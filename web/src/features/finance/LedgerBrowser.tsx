import { Anchor, Button, Code, Stack, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ledgerQuery } from '../../api/app_queries';
import type { LedgerEntry } from '../../api/app_types';
import { DateRange } from '../../ui/DateRange';
import { endOfDay, startOfDay } from '../../ui/days';
import { EmptyState } from '../../ui/EmptyState';
import { Filters } from '../../ui/Filters';
import { PagedTable } from '../../ui/PagedTable';
import { Time } from '../../ui/Time';
import { Usd } from '../../ui/Usd';
import { useAddressText } from '../../ui/use_address_text';
import { useWords } from '../../ui/words';
import classes from './finance.module.css';

interface LedgerSearch {
  event?: string;
  from?: string;
  to?: string;
  generation?: string;
}

/** The entries in the books that touch the account: both sides of each, and its place in the hash chain. */
export function LedgerBrowser({ account, search }: { account: string; search: LedgerSearch }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const entries = useInfiniteQuery(
    ledgerQuery(account, {
      event: search.event,
      generation_id: search.generation,
      from: startOfDay(search.from),
      to: endOfDay(search.to),
    }),
  );
  const set = (change: Partial<Record<keyof LedgerSearch, string | undefined>>) =>
    navigate({
      to: '/finance',
      search: (before: LedgerSearch) => ({ ...before, ...change }) as LedgerSearch,
      replace: true,
      resetScroll: false,
    });
  const request = useAddressText(search.generation ?? '', (id) => set({ generation: id || undefined }));
  const event = useAddressText(search.event ?? '', (id) => set({ event: id || undefined }));
  const filtered = Object.keys(search).length > 0;
  return (
    <>
      <Filters>
        <TextInput
          size="xs"
          data-long
          aria-label={t('finance.find_request')}
          placeholder={t('finance.find_request')}
          {...request.field}
          spellCheck={false}
        />
        <TextInput
          size="xs"
          data-long
          aria-label={t('finance.find_event')}
          placeholder={t('finance.find_event')}
          {...event.field}
          spellCheck={false}
        />
        <DateRange from={search.from} to={search.to} onChange={set} />
        {filtered && (
          <Button
            size="xs"
            variant="subtle"
            onClick={() => {
              request.drop();
              event.drop();
              navigate({ to: '/finance', search: {}, replace: true, resetScroll: false });
            }}
          >
            {t('common.show_all')}
          </Button>
        )}
      </Filters>
      <PagedTable
        query={entries}
        label={t('finance.ledger')}
        rowKey={(row) => row.event_id}
        empty={
          <EmptyState
            title={t(filtered ? 'common.no_match' : 'finance.empty_title')}
            text={t(filtered ? 'common.no_match_text' : 'finance.empty')}
          />
        }
        columns={[
          {
            key: 'place',
            header: t('finance.position'),
            narrow: true,
            cell: (row) => <span>{String(row.position)}</span>,
          },
          { key: 'at', header: t('common.when'), cell: (row) => <Time at={row.recorded_at} /> },
          { key: 'kind', header: t('finance.event'), heading: true, cell: (row) => <Event entry={row} /> },
          { key: 'postings', header: t('finance.postings'), full: true, cell: (row) => <Postings entry={row} /> },
          {
            key: 'hash',
            header: t('finance.hash'),
            wide: true,
            cell: (row) => <Code title={row.chain_hash}>{row.chain_hash.slice(0, 12)}…</Code>,
          },
        ]}
      />
    </>
  );
}

function Event({ entry }: { entry: LedgerEntry }) {
  const eventName = useWords('ledger_event');
  return (
    <Stack gap={0}>
      <Text size="sm" fw={550} component="span" title={entry.kind}>
        {eventName(entry.kind)}
      </Text>
      <Text size="xs" c="dimmed" ff="monospace" component="span" className={classes.id ?? ''} title={entry.event_id}>
        {entry.event_id}
      </Text>
      {entry.generation_id && (
        <Anchor
          size="xs"
          className={classes.id ?? ''}
          renderRoot={(props) => <Link to="/activity" search={{ generation: entry.generation_id ?? '' }} {...props} />}
        >
          {entry.generation_id}
        </Anchor>
      )}
    </Stack>
  );
}

function Postings({ entry }: { entry: LedgerEntry }) {
  const accountName = useWords('book');
  return (
    <div className={classes.postings}>
      {entry.postings.map((posting, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the postings of an entry never move
        <div key={`${posting.account}-${place}`} className={classes.posting}>
          <span className={classes.account} title={posting.account}>
            {accountName(posting.account)}
          </span>
          <Usd amount={posting.amount} />
        </div>
      ))}
    </div>
  );
}
