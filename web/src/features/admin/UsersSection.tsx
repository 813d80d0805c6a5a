import { Badge, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminPages } from '../../api/app_queries';
import type { AdminUser } from '../../api/app_types';
import { call } from '../../api/client';
import { ConfirmButton } from '../../ui/Confirm';
import { EmptyState } from '../../ui/EmptyState';
import { PagedTable } from '../../ui/PagedTable';
import { Time } from '../../ui/Time';
import { useFailureToast } from '../../ui/use_failure_toast';
import { useViewer } from '../session/store';
import { statusName } from './account_status';

export function UsersSection() {
  const { t } = useTranslation();
  const [search, setSearch] = useState('');
  const users = useInfiniteQuery(adminPages<AdminUser>('users', { q: search.trim() || undefined }));
  return (
    <Stack gap="md">
      <TextInput
        maw="24rem"
        aria-label={t('admin.find_user')}
        placeholder={t('admin.find_user')}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      <PagedTable
        query={users}
        label={t('admin.section.users')}
        rowKey={(row) => row.id}
        empty={<EmptyState title={t('common.no_match')} text={t('common.no_match_text')} />}
        columns={[
          { key: 'name', header: t('session.name'), heading: true, cell: (row) => <Name user={row} /> },
          {
            key: 'accounts',
            header: t('admin.section.accounts'),
            cell: (row) => row.accounts.map(({ name, role }) => `${name} (${t(`role.${role}`)})`).join(', ') || '–',
          },
          { key: 'status', header: t('activity.status'), cell: (row) => statusName(row.status, t) },
          {
            key: 'seen',
            header: t('admin.last_sign_in'),
            wide: true,
            cell: (row) => (row.last_sign_in_at ? <Time at={row.last_sign_in_at} /> : t('keys.never')),
          },
          { key: 'acts', header: '', cell: (row) => <Acts user={row} /> },
        ]}
      />
    </Stack>
  );
}

function Name({ user }: { user: AdminUser }) {
  const { t } = useTranslation();
  return (
    <Stack gap={2} align="flex-start">
      <Group gap={6}>
        <Text size="sm" fw={600} component="span">
          {user.name || user.email}
        </Text>
        {user.is_platform_admin && (
          <Badge size="sm" variant="light" tt="none">
            {t('admin.administrator')}
          </Badge>
        )}
      </Group>
      <Text size="xs" c="dimmed" component="span">
        {user.email}
      </Text>
    </Stack>
  );
}

function Acts({ user }: { user: AdminUser }) {
  const { t } = useTranslation();
  const viewer = useViewer();
  const queries = useQueryClient();
  const failed = useFailureToast();
  const name = user.name || user.email;
  const set = async (change: object) => {
    await call('PATCH', `/api/app/admin/users/${user.id}`, change);
    await queries.invalidateQueries({ queryKey: ['admin', 'users'] });
  };
  const enable = useMutation({
    mutationFn: () => set({ status: 'active' }),
    onError: failed,
  });
  // Nobody locks themselves out.
  if (viewer?.session.user.id === user.id) return null;
  return (
    <Group gap={6} justify="flex-end">
      <ConfirmButton
        size="compact-sm"
        aria-label={`${t(user.is_platform_admin ? 'admin.demote' : 'admin.promote')}: ${name}`}
        title={t(user.is_platform_admin ? 'admin.demote_title' : 'admin.promote_title', { name })}
        text={t(user.is_platform_admin ? 'admin.demote_text' : 'admin.promote_text')}
        confirm={t(user.is_platform_admin ? 'admin.demote' : 'admin.promote')}
        action={() => set({ is_platform_admin: !user.is_platform_admin })}
      >
        {t(user.is_platform_admin ? 'admin.demote' : 'admin.promote')}
      </ConfirmButton>
      {user.status === 'active' ? (
        <ConfirmButton
          size="compact-sm"
          aria-label={`${t('keys.disable')}: ${name}`}
          title={t('admin.disable_user_title', { name })}
          text={t('admin.disable_user_text')}
          confirm={t('keys.disable')}
          action={() => set({ status: 'disabled' })}
        >
          {t('keys.disable')}
        </ConfirmButton>
      ) : (
        <Button size="compact-sm" variant="default" onClick={() => enable.mutate()} loading={enable.isPending}>
          {t('keys.enable')}
        </Button>
      )}
    </Group>
  );
}
