import { Alert, Button, Group, Modal, NumberInput, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminPages } from '../../api/app_queries';
import type { CodeBatch } from '../../api/app_types';
import { call } from '../../api/client';
import { isAmount } from '../../money/decimal';
import { CodeBlock } from '../../ui/CodeBlock';
import { ConfirmButton } from '../../ui/Confirm';
import { lastSecondOf } from '../../ui/days';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { PagedTable } from '../../ui/PagedTable';
import { RowLink } from '../../ui/RowLink';
import { Time } from '../../ui/Time';
import { BatchStatus, CodeBatchDetail } from './CodeBatchDetail';

const route = getRouteApi('/admin/$section');

export function CodesSection() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const batches = useInfiniteQuery(adminPages<CodeBatch>('codes'));
  const { batch } = route.useSearch();
  const navigate = route.useNavigate();
  const open = (id?: string) => navigate({ search: id ? { batch: id } : {}, replace: true, resetScroll: false });
  const opened = batches.data?.pages.flatMap((page) => page.data).find(({ id }) => id === batch);
  return (
    <Stack gap="md">
      <Group justify="flex-end">
        <NewBatch />
      </Group>
      <PagedTable
        query={batches}
        label={t('admin.section.codes')}
        rowKey={(row) => row.id}
        empty={<EmptyState title={t('admin.no_codes_title')} text={t('admin.no_codes')} />}
        columns={[
          {
            key: 'note',
            header: t('admin.note'),
            heading: true,
            cell: (row) => <RowLink onClick={() => open(row.id)}>{row.note || row.id}</RowLink>,
          },
          { key: 'status', header: t('activity.status'), cell: (row) => <BatchStatus status={row.status} /> },
          { key: 'amount', header: t('credits.amount'), amount: (row) => row.amount },
          {
            key: 'redeemed',
            header: t('admin.redeemed'),
            numeric: true,
            cell: (row) => `${row.redeemed} / ${row.count}`,
          },
          {
            key: 'until',
            header: t('settings.until'),
            cell: (row) => (row.expires_at ? <Time at={row.expires_at} day /> : t('admin.no_end')),
          },
          { key: 'made', header: t('settings.since'), wide: true, cell: (row) => <Time at={row.created_at} /> },
          {
            key: 'acts',
            header: '',
            cell: (row) =>
              row.status === 'open' && (
                <ConfirmButton
                  size="compact-sm"
                  aria-label={`${t('admin.void')}: ${row.note || row.id}`}
                  title={t('admin.void_title')}
                  text={t('admin.void_text', { count: row.count - row.redeemed })}
                  confirm={t('admin.void')}
                  action={async () => {
                    await call('DELETE', `/api/app/admin/codes/${row.id}`);
                    await queries.invalidateQueries({ queryKey: ['admin', 'codes'] });
                  }}
                >
                  {t('admin.void')}
                </ConfirmButton>
              ),
          },
        ]}
      />
      <CodeBatchDetail batch={opened} onClose={() => open()} />
    </Stack>
  );
}

function NewBatch() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const [amount, setAmount] = useState('');
  const [count, setCount] = useState(1);
  const [expires, setExpires] = useState('');
  const [note, setNote] = useState('');
  const wrong = amount.trim() !== '' && !isAmount(amount);
  const create = useMutation({
    mutationFn: () =>
      call<CodeBatch>('POST', '/api/app/admin/codes', {
        amount: amount.trim(),
        count,
        note: note.trim(),
        ...(expires === '' ? {} : { expires_at: lastSecondOf(expires) }),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['admin', 'codes'] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) create.mutate();
  };
  const start = () => {
    create.reset();
    open();
  };
  return (
    <>
      <Button onClick={start}>{t('admin.new_codes')}</Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t('admin.new_codes')}
        size="lg"
        closeOnClickOutside={!create.isSuccess}
        closeOnEscape={!create.isSuccess}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {create.isSuccess ? (
          <Stack gap="md">
            <Alert color="yellow" variant="light" title={t('admin.codes_once')} />
            <CodeBlock code={(create.data.codes ?? []).join('\n')} label={t('admin.section.codes')} />
          </Stack>
        ) : (
          <form onSubmit={submit}>
            <Stack gap="md">
              <Group grow align="flex-start">
                <TextInput
                  label={t('admin.each_worth')}
                  value={amount}
                  onChange={(event) => setAmount(event.currentTarget.value)}
                  error={wrong ? t('keys.limit_wrong') : undefined}
                  inputMode="decimal"
                  leftSection="$"
                  required
                  data-autofocus
                />
                <NumberInput
                  label={t('admin.how_many')}
                  value={count}
                  onChange={(value) => setCount(Number(value) || 1)}
                  min={1}
                  max={1000}
                  allowDecimal={false}
                />
              </Group>
              <TextInput
                type="date"
                label={t('settings.until')}
                value={expires}
                onChange={(event) => setExpires(event.currentTarget.value)}
              />
              <TextInput
                label={t('admin.note')}
                description={t('admin.note_hint')}
                value={note}
                onChange={(event) => setNote(event.currentTarget.value)}
              />
              {create.isError && <ErrorState error={create.error} />}
              <Button type="submit" loading={create.isPending} disabled={wrong}>
                {t('common.create')}
              </Button>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}
