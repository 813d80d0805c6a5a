import { Skeleton, Stack, Text } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ErrorState } from './ErrorState';
import { useFailure } from './FailureScope';
import classes from './ui.module.css';

interface QueryViewProps<T> {
  query: UseQueryResult<T>;
  /** How high the place is before the answer is there. */
  height?: number;
  /** Shown instead when there is nothing in the answer. */
  empty?: ReactNode;
  isEmpty?: (data: T) => boolean;
  children: (data: T) => ReactNode;
}

/** An answer of the gateway in its four states. What was there stays when asking again failed; the page's notice says so. */
export function QueryView<T>({ query, height = 160, empty, isEmpty, children }: QueryViewProps<T>) {
  const { t } = useTranslation();
  const told = useFailure(query);
  const failed = query.isError && !told && <ErrorState error={query.error} onRetry={() => query.refetch()} />;
  if (query.data === undefined) {
    if (query.isError) return failed || <Missing height={height} />;
    return <Skeleton height={height} radius="lg" aria-busy="true" aria-label={t('common.loading')} />;
  }
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

/** Keeps the place of what did not come. Why it did not stands in the notice. */
export function Missing({ height }: { height: number }) {
  const { t } = useTranslation();
  return (
    <div className={classes.missing} style={{ minHeight: Math.min(height, 200) }}>
      <Text size="sm" c="dimmed">
        {t('error.part')}
      </Text>
    </div>
  );
}
