import { Code, Group, Text } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { accountQuery, membersQuery, transactionsQuery } from '../../api/app_queries';
import { CopyButton } from '../../ui/CopyButton';
import { DataTable } from '../../ui/DataTable';
import { Detail, DetailSection } from '../../ui/Detail';
import { Fact, Facts } from '../../ui/Facts';
import { PagedTable } from '../../ui/PagedTable';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { Usd } from '../../ui/Usd';
import { AccountLimits } from './AccountLimits';
import { statusName } from './account_status';

/** One account as its platform sees it: its money, its people, what moved last. */
export function AccountDetail({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation();
  const account = useQuery({ ...accountQuery(id), enabled: id !== '' });
  return (
    <Detail title={account.data?.name ?? t('settings.section.account')} opened={id !== ''} onClose={onClose}>
      <QueryView query={account} height={420}>
        {(data) => (
          <>
            <Facts>
              <Fact label={t('settings.account_id')}>
                <Group gap={4} wrap="nowrap" style={{ display: 'inline-flex' }}>
                  <Code style={{ overflowWrap: 'anywhere' }}>{data.id}</Code>
                  <CopyButton value={data.id} />
                </Group>
              </Fact>
              <Fact label={t('activity.status')}>{statusName(data.status, t)}</Fact>
              <Fact label={t('settings.since')}>
                <Time at={data.created_at} day />
              </Fact>
            </Facts>
            <DetailSection title={t('credits.now')}>
              <Facts>
                <Fact label={t('credits.available')}>
                  <Usd amount={data.available} />
                </Fact>
                <Fact label={t('credits.posted')}>
                  <Usd amount={data.balance} />
                </Fact>
                <Fact label={t('credits.pending')}>
                  <Usd amount={data.pending} />
                </Fact>
                <Fact label={t('credits.held')}>
                  <Usd amount={data.held} />
                </Fact>
              </Facts>
            </DetailSection>
            <DetailSection title={t('admin.limits')}>
              <AccountLimits key={data.id} account={data} />
            </DetailSection>
            <DetailSection title={t('settings.section.members')}>
              <Members account={id} />
            </DetailSection>
            <DetailSection title={t('credits.transactions')}>
              <Transactions account={id} />
            </DetailSection>
          </>
        )}
      </QueryView>
    </Detail>
  );
}

function Members({ account }: { account: string }) {
  const { t } = useTranslation();
  const members = useQuery(membersQuery(account));
  return (
    <QueryView query={members} height={80} empty={<Text c="dimmed">{t('admin.no_members')}</Text>}>
      {(rows) => (
        <DataTable
          label={t('settings.section.members')}
          rows={rows}
          rowKey={(row) => row.user_id}
          columns={[
            { key: 'name', header: t('keys.name'), heading: true, cell: (row) => row.name || row.email },
            { key: 'email', header: t('session.email'), cell: (row) => row.email },
            { key: 'role', header: t('settings.role'), cell: (row) => t(`role.${row.role}`) },
          ]}
        />
      )}
    </QueryView>
  );
}

function Transactions({ account }: { account: string }) {
  const { t } = useTranslation();
  const transactions = useInfiniteQuery(transactionsQuery(account, { limit: 20 }));
  return (
    <PagedTable
      query={transactions}
      label={t('credits.transactions')}
      rowKey={(row) => row.id}
      empty={<Text c="dimmed">{t('credits.empty_title')}</Text>}
      columns={[
        { key: 'at', header: t('common.when'), cell: (row) => <Time at={row.created_at} /> },
        { key: 'kind', header: t('credits.kind'), heading: true, cell: (row) => t(`transaction.${row.kind}`) },
        { key: 'what', header: t('credits.what'), cell: (row) => row.model ?? row.reason ?? row.reference ?? '–' },
        { key: 'amount', header: t('credits.amount'), amount: (row) => row.amount, strong: true },
      ]}
    />
  );
}
