import { Button, type ButtonProps, Modal, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath, invitationsQuery } from '../../api/app_queries';
import { type PendingInvitation, ROLES, type Role } from '../../api/app_types';
import { call } from '../../api/client';
import { CodeBlock } from '../../ui/CodeBlock';
import { ErrorState } from '../../ui/ErrorState';

interface InviteProps extends ButtonProps {
  account: string;
  /** Chosen until another role is. */
  first?: Role;
  'aria-label'?: string;
}

/** Makes a link by which somebody joins an account. */
export function Invite({ account, first = 'member', ...button }: InviteProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>(first);
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
      <Button onClick={start} {...button}>
        {t('settings.invite')}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        closeOnClickOutside={!invite.data}
        closeOnEscape={!invite.data}
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
