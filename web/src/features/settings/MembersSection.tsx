import { Group, NativeSelect, Stack, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { appPath, invitationsQuery, membersQuery } from '../../api/app_queries';
import { type Member, ROLES, type Role } from '../../api/app_types';
import { call } from '../../api/client';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { useToasts } from '../../ui/toasts';
import { useFailureToast } from '../../ui/use_failure_toast';
import { Invite } from './Invite';

interface MembersProps {
  account: string;
  manages: boolean;
  /** The id of the one who looks. */
  self: string;
}

export function MembersSection({ account, manages, self }: MembersProps) {
  const { t } = useTranslation();
  const members = useQuery(membersQuery(account));
  return (
    <Stack gap="lg">
      {manages && (
        <Group justify="flex-end">
          <Invite account={account} />
        </Group>
      )}
      <QueryView query={members} height={240}>
        {(rows) => (
          <DataTable
            label={t('settings.section.members')}
            rows={rows}
            rowKey={(row) => row.user_id}
            columns={[
              { key: 'name', header: t('session.name'), heading: true, cell: (row) => row.name || row.email },
              { key: 'email', header: t('session.email'), cell: (row) => row.email },
              {
                key: 'role',
                header: t('settings.role'),
                cell: (row) =>
                  manages && row.user_id !== self ? (
                    <RoleChoice account={account} member={row} />
                  ) : (
                    t(`role.${row.role}`)
                  ),
              },
              {
                key: 'joined',
                header: t('settings.joined'),
                wide: true,
                cell: (row) => <Time at={row.joined_at} day />,
              },
              {
                key: 'acts',
                header: '',
                cell: (row) => manages && row.user_id !== self && <Remove account={account} member={row} />,
              },
            ]}
          />
        )}
      </QueryView>
      {manages && <Pending account={account} />}
    </Stack>
  );
}

function RoleChoice({ account, member }: { account: string; member: Member }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const set = (role: Role) =>
    call('PATCH', appPath(account, `/members/${member.user_id}`), { role }).finally(() =>
      queries.invalidateQueries({ queryKey: membersQuery(account).queryKey }),
    );
  const failed = useFailureToast();
  const change = useMutation({
    mutationFn: set,
    onSuccess: (_, role) =>
      show({
        text: t('settings.role_changed', { name: member.name || member.email, role: t(`role.${role}`) }),
        tone: 'done',
        undo: () => set(member.role).catch(failed),
      }),
    onError: failed,
  });
  return (
    <NativeSelect
      size="xs"
      aria-label={`${t('settings.role')}: ${member.name || member.email}`}
      value={change.isPending ? change.variables : member.role}
      disabled={change.isPending}
      onChange={(event) => change.mutate(event.currentTarget.value as Role)}
      data={ROLES.map((role) => ({ value: role as string, label: t(`role.${role}`) }))}
    />
  );
}

function Remove({ account, member }: { account: string; member: Member }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const name = member.name || member.email;
  return (
    <ConfirmButton
      size="compact-sm"
      aria-label={`${t('settings.remove')}: ${name}`}
      title={t('settings.remove_title', { name })}
      text={t('settings.remove_text')}
      confirm={t('settings.remove')}
      action={async () => {
        await call('DELETE', appPath(account, `/members/${member.user_id}`));
        await queries.invalidateQueries({ queryKey: membersQuery(account).queryKey });
      }}
    >
      {t('settings.remove')}
    </ConfirmButton>
  );
}

function Pending({ account }: { account: string }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const invitations = useQuery(invitationsQuery(account));
  return (
    <QueryView query={invitations} height={80} empty={null}>
      {(rows) => (
        <section>
          <Title order={2} fz="h4" mb="sm">
            {t('settings.invitations')}
          </Title>
          <DataTable
            label={t('settings.invitations')}
            rows={rows}
            rowKey={(row) => row.id}
            columns={[
              { key: 'email', header: t('session.email'), heading: true, cell: (row) => row.email },
              { key: 'role', header: t('settings.role'), cell: (row) => t(`role.${row.role}`) },
              { key: 'until', header: t('settings.until'), cell: (row) => <Time at={row.expires_at} /> },
              {
                key: 'acts',
                header: '',
                cell: (row) => (
                  <ConfirmButton
                    size="compact-sm"
                    title={t('settings.withdraw_title', { email: row.email })}
                    text={t('settings.withdraw_text')}
                    confirm={t('settings.withdraw')}
                    action={async () => {
                      await call('DELETE', appPath(account, `/invitations/${row.id}`));
                      await queries.invalidateQueries({ queryKey: invitationsQuery(account).queryKey });
                    }}
                  >
                    {t('settings.withdraw')}
                  </ConfirmButton>
                ),
              },
            ]}
          />
        </section>
      )}
    </QueryView>
  );
}
