import { Stack, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { PageHeader } from '../../ui/PageHeader';
import { Guard } from '../session/Guard';
import { MONEY_READERS } from '../session/store';
import { BalanceAlertForm } from './BalanceAlertForm';
import { BalanceDisplay } from './BalanceDisplay';
import { RedeemForm } from './RedeemForm';
import { TransactionList } from './TransactionList';

export function CreditsPage() {
  const { t } = useTranslation();
  return (
    <Guard>
      {(viewer) => (
        <>
          <PageHeader title={t('credits.title')} lead={t('credits.lead')} />
          <Stack gap="lg">
            <BalanceDisplay account={viewer.account.id} readsMoney={viewer.is(...MONEY_READERS)} />
            {viewer.is(...MONEY_READERS) ? (
              <>
                <RedeemForm account={viewer.account.id} />
                <TransactionList account={viewer.account.id} />
                <BalanceAlertForm key={viewer.account.id} account={viewer.account.id} />
              </>
            ) : (
              <Text c="dimmed">{t('credits.role')}</Text>
            )}
          </Stack>
        </>
      )}
    </Guard>
  );
}
