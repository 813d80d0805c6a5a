import { Alert, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ProviderCostReport } from '../../api/types';
import { compare, formatUsd } from '../../money/decimal';

/** The proof of a report: what the ledger posted for the same days, over all channels. */
export function BooksBeside({
  books,
  onRefresh,
}: {
  books: ProviderCostReport['books'];
  onRefresh: () => Promise<unknown>;
}) {
  const { t, i18n } = useTranslation();
  const [busy, setBusy] = useState(false);
  const usd = (amount: string | number) => formatUsd(amount, i18n.language);
  const posted = usd(books.provider_cost);
  if (compare(books.difference, '0') === 0)
    return (
      <Text size="sm" c="dimmed">
        {t('provider_costs.books_agree', { posted })}
      </Text>
    );
  const refresh = async () => {
    setBusy(true);
    await onRefresh();
    setBusy(false);
  };
  return (
    <Alert color="yellow" variant="light" title={t('provider_costs.books_differ_title')} role="status">
      <Text size="sm">{t('provider_costs.books_differ', { posted, difference: usd(books.difference) })}</Text>
      <Group mt="sm">
        <Button size="xs" variant="default" onClick={refresh} loading={busy}>
          {t('provider_costs.refresh')}
        </Button>
      </Group>
    </Alert>
  );
}
