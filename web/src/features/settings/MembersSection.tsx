import { Button, Group, Modal, NativeSelect, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath, invitationsQuery, membersQuery } from '../../api/app_queries';
import { type Member, type PendingInvitation, ROLES, type Role } from '../../api/app_types';
import { call } from '../../api/client';
import { CodeBlock } from '../../ui/CodeBlock';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { ErrorState } from '../../ui/ErrorState';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { useToasts } from '../../ui/toasts';

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
  const failed = (error: Error) => show({ text: error.message, tone: 'failed' });
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

function Invite({ account }: { account: string }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('member');
  const invite = useMutation({
    mutationFn: () => call<PendingInvitation>('POST', appPath(account, '/invitations'), { email: email.trim(), role }),
    onSuccess: () => queries.invalidateQueries({ queryKey: invitationsQuery(account).queryKey }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    invite.mutate();
  };
  const start = () => {
    invite.reset();
    setEmail('');
    open();
  };
  return (
    <>
      <Button onClick={start}>{t('settings.invite')}</Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t('settings.invite')}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {invite.data?.link ? (
          <Stack gap="md">
            <Text size="sm">{t('settings.invite_link')}</Text>
            <CodeBlock code={invite.data.link} label={t('settings.invite')} />
          </Stack>
        ) : (
          <form onSubmit={submit}>
            <Stack gap="md">
              <TextInput
                label={t('session.email')}
                type="email"
                value={email}
                onChange={(event) => setEmail(event.currentTarget.value)}
                required
                data-autofocus
              />
              <NativeSelect
                label={t('settings.role')}
                description={t(`role_text.${role}`)}
                value={role}
                onChange={(event) => setRole(event.currentTarget.value as Role)}
                data={ROLES.map((one) => ({ value: one as string, label: t(`role.${one}`) }))}
              />
              {invite.isError && <ErrorState error={invite.error} />}
              <Button type="submit" loading={invite.isPending}>
                {t('settings.make_link')}
              </Button>
            </Stack>
          </form>
        )}
      </Modal>
    </>
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
