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

/** Says an error in the reader's language where we know it, else in the gateway's own words. */
export function useExplained() {
  const { t } = useTranslation();
  return (error: Error): { text: string; isKnown: boolean } => {
    const known = error instanceof ApiError ? EXPLAINED.find((word) => word === error.reason) : undefined;
    if (known) return { text: t(`error.${known}`), isKnown: true };
    return { text: error instanceof NetworkError ? t('error.network') : error.message, isKnown: false };
  };
}

/** What went wrong with something somebody did. What a page could not fetch is told by its `FailureScope`. */
export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const { t } = useTranslation();
  const { text, isKnown } = useExplained()(error);
  return (
    <Alert color="red" variant="light" title={t('error.title')} role="alert">
      <Text size="sm">{text}</Text>
      {isKnown && (
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
