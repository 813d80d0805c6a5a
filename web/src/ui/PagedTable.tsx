import { Button, Skeleton, Stack } from '@mantine/core';
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Page } from '../api/client';
import { type Column, DataTable } from './DataTable';
import { ErrorState } from './ErrorState';
import { useFailure } from './FailureScope';
import { Missing } from './QueryView';
import classes from './ui.module.css';

interface PagedTableProps<Row> {
  query: UseInfiniteQueryResult<InfiniteData<Page<Row>>>;
  label: string;
  columns: Column<Row>[];
  rowKey: (row: Row) => string;
  empty: ReactNode;
  fresh?: (row: Row) => boolean;
}

/** A list that is fetched page by page, in its four states. */
export function PagedTable<Row>({ query, empty, ...table }: PagedTableProps<Row>) {
  const { t } = useTranslation();
  const told = useFailure(query);
  const rows = query.data?.pages.flatMap((page) => page.data) ?? [];
  // A list that is just being asked for again would swallow the click: that waits until the rows wanted are there.
  const more = async () => {
    const interrupted = query.isFetching;
    await query.fetchNextPage({ cancelRefetch: true });
    if (interrupted) query.refetch();
  };
  return (
    <Stack gap="md" aria-busy={query.isFetching}>
      {query.isError && !told && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
      {query.isError && told && query.data === undefined && <Missing height={280} />}
      {query.isPending && <Skeleton height={280} radius="lg" aria-label={t('common.loading')} />}
      {query.isSuccess && rows.length === 0 && empty}
      {rows.length > 0 && (
        // Rows of the question before, until the answer to this one is there.
        <div className={classes.kept} data-old={query.isPlaceholderData || undefined}>
          <DataTable {...table} rows={rows} />
        </div>
      )}
      {query.hasNextPage && (
        <Button variant="default" mx="auto" loading={query.isFetchingNextPage} onClick={more}>
          {t('common.more')}
        </Button>
      )}
    </Stack>
  );
}
