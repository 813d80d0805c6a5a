import { Alert, Button, Group, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ApiError, NetworkError } from '../api/client';

const EXPLAINED = [
  'unauthenticated',
  'forbidden',
  'csrf',
  'authentication',
  'payment_required',
  'rate_limit_exceeded',
  'not_found',
] as const;

/** What went wrong: in the reader's language where we know it, with the gateway's own words below. */
export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const { t } = useTranslation();
  const explained = error instanceof ApiError ? EXPLAINED.find((word) => word === error.reason) : undefined;
  return (
    <Alert color="red" variant="light" title={t('error.title')} role="alert">
      <Text size="sm">
        {explained ? t(`error.${explained}`) : error instanceof NetworkError ? t('error.network') : error.message}
      </Text>
      {explained && (
        <Text size="xs" c="dimmed" mt={4}>
          {error.message}
        </Text>
      )}
      {onRetry && (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={onRetry}>
            {t('common.retry')}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
