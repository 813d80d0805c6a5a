import { Skeleton, Stack } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ErrorState } from './ErrorState';

interface QueryViewProps<T> {
  query: UseQueryResult<T>;
  /** How high the place is before the answer is there. */
  height?: number;
  /** Shown instead when there is nothing in the answer. */
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/** An answer of the gateway in its four states. What was there stays, with the failure above, when asking again failed. */
export function QueryView<T>({ query, height = 160, empty, isEmpty, children }: QueryViewProps<T>) {
  const { t } = useTranslation();
  const failed = query.isError && <ErrorState error={query.error} onRetry={() => query.refetch()} />;
  if (query.data === undefined)
    return failed || <Skeleton height={height} radius="lg" aria-busy="true" aria-label={t('common.loading')} />;
  const nothing = isEmpty?.(query.data) ?? (Array.isArray(query.data) && query.data.length === 0);
  const content = nothing && empty !== undefined ? empty : children(query.data);
  if (!failed) return content;
  return (
    <Stack gap="sm">
      {failed}
      {content}
    </Stack>
  );
}
