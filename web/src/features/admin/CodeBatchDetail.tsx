import { Badge, Button, Code, Group } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { CodeBatch } from '../../api/app_types';
import { DataTable } from '../../ui/DataTable';
import { Detail, DetailSection } from '../../ui/Detail';
import { Fact, Facts } from '../../ui/Facts';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { Usd } from '../../ui/Usd';

/** A code as it is kept: its last characters, and who has it. */
interface KeptCode {
  code: string;
  account_id: string | null;
  redeemed_at: string | null;
}

/** Drawn at once; a batch may have a thousand. */
const PAGE = 50;

export const BATCH_TONES: Record<string, string> = { open: 'pine', redeemed: 'gray', expired: 'gray', voided: 'red' };

/** The codes of one batch, masked, and who redeemed which. */
export function CodeBatchDetail({ batch, onClose }: { batch: CodeBatch | undefined; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Detail title={batch?.note || t('admin.batch')} opened={batch !== undefined} onClose={onClose}>
      {batch && (
        <>
          <Facts>
            <Fact label={t('activity.status')}>
              <BatchStatus status={batch.status} />
            </Fact>
            <Fact label={t('admin.each_worth')}>
              <Usd amount={batch.amount} />
            </Fact>
            <Fact label={t('admin.redeemed')}>
              {batch.redeemed} / {batch.count}
            </Fact>
            <Fact label={t('settings.until')}>
              {batch.expires_at ? <Time at={batch.expires_at} day /> : t('admin.no_end')}
            </Fact>
            <Fact label={t('settings.since')}>
              <Time at={batch.created_at} />
            </Fact>
            <Fact label={t('settings.account_id')}>{batch.id}</Fact>
          </Facts>
          <DetailSection title={t('admin.section.codes')}>
            <Codes batch={batch.id} />
          </DetailSection>
        </>
      )}
    </Detail>
  );
}

export function BatchStatus({ status }: { status: string }) {
  const { t } = useTranslation();
  const known = (['open', 'redeemed', 'expired', 'voided'] as const).find((one) => one === status);
  return (
    <Badge size="sm" variant="light" tt="none" fw={500} color={BATCH_TONES[status] ?? 'gray'}>
      {known ? t(`batch.${known}`) : status}
    </Badge>
  );
}

function Codes({ batch }: { batch: string }) {
  const { t } = useTranslation();
  const codes = useQuery(adminQuery<KeptCode[]>(`codes/${encodeURIComponent(batch)}`));
  const [shown, setShown] = useState(PAGE);
  return (
    <QueryView query={codes} height={240}>
      {(rows) => (
        <>
          <DataTable
            label={t('admin.section.codes')}
            rows={rows.slice(0, shown)}
            rowKey={(row) => row.code}
            columns={[
              { key: 'code', header: t('credits.code'), heading: true, cell: (row) => <Code>{row.code}</Code> },
              {
                key: 'when',
                header: t('admin.redeemed'),
                cell: (row) => (row.redeemed_at ? <Time at={row.redeemed_at} /> : t('admin.not_redeemed')),
              },
              { key: 'who', header: t('nav.account'), cell: (row) => row.account_id ?? '–' },
            ]}
          />
          {rows.length > shown && (
            <Group justify="center" mt="md">
              <Button variant="default" size="xs" onClick={() => setShown(shown + PAGE)}>
                {t('common.more')}
              </Button>
            </Group>
          )}
        </>
      )}
    </QueryView>
  );
}
