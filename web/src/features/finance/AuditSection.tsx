import { Alert, Button, Code, Group, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { accountAuditQuery, adminQuery } from '../../api/app_queries';
import type { AccountAudit as AccountReport, AuditReport } from '../../api/app_types';
import { call } from '../../api/client';
import { CopyButton } from '../../ui/CopyButton';
import { DataTable } from '../../ui/DataTable';
import { ErrorState } from '../../ui/ErrorState';
import { Fact, Facts } from '../../ui/Facts';
import { formatCount } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import { Time } from '../../ui/Time';
import { useWords } from '../../ui/words';
import classes from './finance.module.css';

/** Whether the books hold: chain, double entry, and agreement with events, statistics and balances. */
export function AuditSection() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const query = adminQuery<AuditReport | null>('audit');
  const report = useQuery(query);
  const run = useMutation({
    mutationFn: () => call<AuditReport>('POST', '/api/app/admin/audit'),
    onSuccess: (fresh) => queries.setQueryData(query.queryKey, fresh),
  });
  return (
    <Stack gap="lg">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {report.data?.checked_at && (
            <>
              {t('finance.checked_at')} <Time at={report.data.checked_at} />
            </>
          )}
        </Text>
        <Button onClick={() => run.mutate()} loading={run.isPending}>
          {t('finance.run')}
        </Button>
      </Group>
      {run.isError && <ErrorState error={run.error} />}
      <QueryView
        query={report}
        height={320}
        isEmpty={(data) => data === null}
        empty={<Text>{t('finance.not_run')}</Text>}
      >
        {(data) => data && <Report report={data} />}
      </QueryView>
    </Stack>
  );
}

/** The verdict of the last audit, and what it says of one account: for people of finance. */
export function AccountAudit({ account }: { account: string }) {
  const { t } = useTranslation();
  const report = useQuery(accountAuditQuery(account));
  return (
    <QueryView query={report} height={320}>
      {(data) => (
        <Stack gap="lg">
          <Text size="sm" c="dimmed">
            {t('finance.checked_at')} <Time at={data.checked_at} />
          </Text>
          <Verdict report={data} />
          <Heads heads={data.heads} />
        </Stack>
      )}
    </QueryView>
  );
}

function Report({ report }: { report: AuditReport }) {
  const { t, i18n } = useTranslation();
  const checkedName = useWords('audited');
  return (
    <>
      <Verdict report={report} />
      <Surface>
        <Title order={2} fz="h4" mb="xs">
          {t('finance.checked')}
        </Title>
        <div className={classes.checked}>
          <Facts>
            {Object.entries(report.checked).map(([what, count]) => (
              <Fact key={what} label={checkedName(what)}>
                {typeof count === 'number' ? formatCount(count, i18n.language) : String(count)}
              </Fact>
            ))}
          </Facts>
        </div>
      </Surface>
      <Heads heads={report.heads ?? []} />
    </>
  );
}

function Verdict({ report }: { report: Pick<AuditReport | AccountReport, 'ok' | 'differences'> }) {
  const { t } = useTranslation();
  const kindName = useWords('audited');
  return (
    <>
      <Alert
        color={report.ok ? 'pine' : 'red'}
        variant="light"
        title={t(report.ok ? 'finance.holds' : 'finance.broken')}
        role="status"
      >
        {report.ok ? t('finance.holds_text') : t('finance.broken_text')}
      </Alert>
      {report.differences.length > 0 && (
        <DataTable
          label={t('finance.differences')}
          rows={report.differences}
          rowKey={(row) => `${row.kind} ${row.subject}`}
          columns={[
            { key: 'kind', header: t('finance.difference'), heading: true, cell: (row) => kindName(row.kind) },
            { key: 'subject', header: t('finance.subject'), cell: (row) => row.subject },
            { key: 'expected', header: t('finance.expected'), cell: (row) => written(row.expected) },
            { key: 'found', header: t('finance.found'), cell: (row) => written(row.found) },
          ]}
        />
      )}
    </>
  );
}

function Heads({ heads }: { heads: NonNullable<AuditReport['heads']> }) {
  const { t } = useTranslation();
  if (heads.length === 0) return null;
  return (
    <section>
      <Title order={2} fz="h4" mb={4}>
        {t('finance.heads')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('finance.heads_text')}
      </Text>
      <DataTable
        label={t('finance.heads')}
        rows={heads}
        rowKey={(row) => String(row.partition)}
        columns={[
          {
            key: 'partition',
            header: t('finance.partition'),
            heading: true,
            cell: (row) => <Partition number={row.partition} />,
          },
          { key: 'position', header: t('finance.position'), numeric: true, cell: (row) => String(row.position) },
          {
            key: 'hash',
            header: t('finance.hash'),
            full: true,
            cell: (row) => (
              <Group gap={4} wrap="nowrap">
                <Code style={{ overflowWrap: 'anywhere' }}>{row.hash}</Code>
                <CopyButton value={row.hash} />
              </Group>
            ),
          },
        ]}
      />
    </section>
  );
}

/** On a phone it heads a card, where no column says what the number is. */
function Partition({ number }: { number: number | string }) {
  const { t } = useTranslation();
  return (
    <>
      <Text span inherit hiddenFrom="sm">
        {t('finance.partition_number', { number })}
      </Text>
      <Text span inherit visibleFrom="sm">
        {String(number)}
      </Text>
    </>
  );
}

function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
