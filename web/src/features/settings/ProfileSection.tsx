import { Button, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sessionQuery } from '../../api/app_queries';
import type { Session } from '../../api/app_types';
import { call } from '../../api/client';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { useToasts } from '../../ui/toasts';

export function ProfileSection({ session }: { session: Session }) {
  return (
    <Stack gap="lg" maw="36rem">
      <Name session={session} />
      {session.user.has_password && <Password />}
    </Stack>
  );
}

function Name({ session }: { session: Session }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const [name, setName] = useState(session.user.name);
  const save = useMutation({
    mutationFn: () => call('PATCH', '/api/app/profile', { name: name.trim() }),
    onSuccess: () => {
      show({ text: t('common.saved'), tone: 'done' });
      return queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Surface>
      <form onSubmit={submit}>
        <Stack gap="md">
          <TextInput
            label={t('session.name')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            autoComplete="name"
            required
          />
          <TextInput label={t('session.email')} value={session.user.email} readOnly />
          <Text size="sm" c="dimmed">
            {t(session.user.google_linked ? 'settings.google_linked' : 'settings.google_not_linked')}
          </Text>
          {save.isError && <ErrorState error={save.error} />}
          <Button
            type="submit"
            loading={save.isPending}
            disabled={name.trim() === '' || name.trim() === session.user.name}
            w="fit-content"
          >
            {t('common.save')}
          </Button>
        </Stack>
      </form>
    </Surface>
  );
}

function Password() {
  const { t } = useTranslation();
  const show = useToasts((state) => state.show);
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const save = useMutation({
    mutationFn: () => call('POST', '/api/app/profile/password', { current_password: current, new_password: fresh }),
    onSuccess: () => {
      setCurrent('');
      setFresh('');
      show({ text: t('settings.password_changed'), tone: 'done' });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Surface>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Title order={2} fz="h4">
            {t('settings.password')}
          </Title>
          <PasswordInput
            label={t('settings.current_password')}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
          />
          <PasswordInput
            label={t('session.new_password')}
            value={fresh}
            onChange={(event) => setFresh(event.currentTarget.value)}
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
          />
          {save.isError && <ErrorState error={save.error} />}
          <Button type="submit" loading={save.isPending} disabled={current === '' || fresh === ''} w="fit-content">
            {t('settings.change_password')}
          </Button>
        </Stack>
      </form>
    </Surface>
  );
}
