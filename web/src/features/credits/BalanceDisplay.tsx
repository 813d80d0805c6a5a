import { Alert, Group, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { accountQuery, balanceAlertQuery } from '../../api/app_queries';
import { compare } from '../../money/decimal';
import { Figure, Figures } from '../../ui/Figure';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import { LargeUsd } from '../../ui/Usd';
import { LiveBadge } from '../live/LiveBadge';
import { useLiveInterval } from '../live/store';

/** What the account has now: booked, on its way into the books, and set aside for requests that run. */
export function BalanceDisplay({ account, readsMoney }: { account: string; readsMoney: boolean }) {
  const { t } = useTranslation();
  const query = useQuery({ ...accountQuery(account), refetchInterval: useLiveInterval() });
  const alert = useQuery({ ...balanceAlertQuery(account), enabled: readsMoney });
  return (
    <QueryView query={query} height={140}>
      {(data) => {
        const threshold = alert.data?.threshold;
        const low = threshold !== undefined && compare(data.available, threshold) < 0;
        return (
          <Surface>
            <Group justify="space-between" mb="md">
              <Title order={2} fz="h4">
                {t('credits.now')}
              </Title>
              <LiveBadge updatedAt={query.dataUpdatedAt} failed={query.isError} />
            </Group>
            {low && <Alert color="yellow" variant="light" mb="md" title={t('credits.low')} />}
            <Figures>
              <Figure label={t('credits.available')} note={t('credits.available_note')}>
                <LargeUsd amount={data.available} />
              </Figure>
              <Figure label={t('credits.posted')} note={t('credits.posted_note')}>
                <LargeUsd amount={data.balance} />
              </Figure>
              <Figure label={t('credits.pending')} note={t('credits.pending_note')}>
                <LargeUsd amount={data.pending} />
              </Figure>
              <Figure label={t('credits.held')} note={t('credits.held_note')}>
                <LargeUsd amount={data.held} />
              </Figure>
            </Figures>
          </Surface>
        );
      }}
    </QueryView>
  );
}
