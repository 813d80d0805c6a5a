import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminPages } from '../../api/app_queries';
import type { Account } from '../../api/app_types';
import { call } from '../../api/client';
import { ConfirmButton } from '../../ui/Confirm';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { PagedTable } from '../../ui/PagedTable';
import { RowLink } from '../../ui/RowLink';
import { Time } from '../../ui/Time';
import { useFailureToast } from '../../ui/use_failure_toast';
import { Invite } from '../settings/Invite';
import { AccountDetail } from './AccountDetail';
import { statusName } from './account_status';
import { Credit } from './Credit';

const route = getRouteApi('/admin/$section');

export function AccountsSection() {
  const { t } = useTranslation();
  const [search, setSearch] = useState('');
  const { account = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const open = (id: string) => navigate({ search: id ? { account: id } : {}, replace: id === '', resetScroll: false });
  const accounts = useInfiniteQuery(adminPages<Account>('accounts', { q: search.trim() || undefined }));
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <TextInput
          flex="1 1 14rem"
          maw="24rem"
          aria-label={t('admin.find_account')}
          placeholder={t('admin.find_account')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <NewAccount />
      </Group>
      <PagedTable
        query={accounts}
        label={t('admin.section.accounts')}
        rowKey={(row) => row.id}
        empty={<EmptyState title={t('common.no_match')} text={t('common.no_match_text')} />}
        columns={[
          {
            key: 'name',
            header: t('keys.name'),
            heading: true,
            cell: (row) => <RowLink onClick={() => open(row.id)}>{row.name}</RowLink>,
          },
          { key: 'status', header: t('activity.status'), cell: (row) => statusName(row.status, t) },
          {
            key: 'available',
            header: t('credits.available'),
            amount: (row) => row.available,
          },
          { key: 'since', header: t('settings.since'), wide: true, cell: (row) => <Time at={row.created_at} day /> },
          { key: 'acts', header: '', cell: (row) => <Acts account={row} /> },
        ]}
      />
      <AccountDetail id={account} onClose={() => open('')} />
    </Stack>
  );
}

function NewAccount() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => call<Account>('POST', '/api/app/admin/accounts', { name: name.trim() }),
    onSuccess: () => {
      close();
      setName('');
      return queries.invalidateQueries({ queryKey: ['admin', 'accounts'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <>
      <Button onClick={open}>{t('admin.new_account')}</Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t('admin.new_account')}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <form onSubmit={submit}>
          <Stack gap="md">
            <TextInput
              label={t('keys.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              required
              data-autofocus
            />
            {create.isError && <ErrorState error={create.error} />}
            <Button type="submit" loading={create.isPending}>
              {t('common.create')}
            </Button>
          </Stack>
        </form>
      </Modal>
    </>
  );
}

function Acts({ account }: { account: Account }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const failed = useFailureToast();
  const path = `/api/app/admin/accounts/${account.id}`;
  const renew = () => queries.invalidateQueries({ queryKey: ['admin', 'accounts'] });
  const enable = useMutation({
    mutationFn: () => call('PATCH', path, { status: 'active' }),
    onSuccess: renew,
    onError: failed,
  });
  return (
    <Group gap={6} justify="flex-end">
      <Credit account={account} />
      <Invite
        account={account.id}
        first="owner"
        size="compact-sm"
        variant="default"
        aria-label={`${t('settings.invite')}: ${account.name}`}
      />
      {account.status === 'active' ? (
        <ConfirmButton
          size="compact-sm"
          aria-label={`${t('admin.suspend')}: ${account.name}`}
          title={t('admin.suspend_title', { name: account.name })}
          text={t('admin.suspend_text')}
          confirm={t('admin.suspend')}
          action={async () => {
            await call('PATCH', path, { status: 'suspended' });
            await renew();
          }}
        >
          {t('admin.suspend')}
        </ConfirmButton>
      ) : (
        <Button size="compact-sm" variant="default" onClick={() => enable.mutate()} loading={enable.isPending}>
          {t('admin.resume')}
        </Button>
      )}
    </Group>
  );
}
