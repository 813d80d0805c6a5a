import { Button, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { invitationQuery, sessionQuery } from '../../api/app_queries';
import type { Invitation, Session } from '../../api/app_types';
import { ApiError, call, rememberCsrfToken } from '../../api/client';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import { Time } from '../../ui/Time';
import classes from './session.module.css';
import { useViewer } from './store';

const route = getRouteApi('/invitations/$token');

export function InvitationPage() {
  const { t } = useTranslation();
  const { token } = route.useParams();
  const invitation = useQuery(invitationQuery(token));
  const gone = invitation.error instanceof ApiError && [404, 410].includes(invitation.error.status);
  if (gone) return <EmptyState title={t('invitation.gone_title')} text={t('invitation.gone')} />;
  return (
    <div className={classes.narrow}>
      <QueryView query={invitation} height={320}>
        {(data) => (
          <Surface p="xl">
            <Title order={1} fz="h3">
              {t('invitation.title', { account: data.account_name })}
            </Title>
            <Text c="dimmed" size="sm" mb="md">
              {t('invitation.lead', { role: t(`role.${data.role}`) })} <Time at={data.expires_at} day />
            </Text>
            <Accept token={token} invitation={data} />
          </Surface>
        )}
      </QueryView>
    </div>
  );
}

function Accept({ token, invitation }: { token: string; invitation: Invitation }) {
  const { t } = useTranslation();
  const viewer = useViewer();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const accept = useMutation({
    mutationFn: () =>
      call<Session>('POST', `/auth/invitations/${encodeURIComponent(token)}/accept`, viewer ? {} : { name, password }),
    onSuccess: (session) => {
      rememberCsrfToken(session.csrf_token);
      queries.setQueryData(sessionQuery.queryKey, session);
      navigate({ to: '/' });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    accept.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {viewer ? (
          <Text size="sm">{t('invitation.as', { email: viewer.session.user.email })}</Text>
        ) : (
          <>
            <TextInput label={t('session.email')} value={invitation.email} readOnly autoComplete="username" />
            <TextInput
              label={t('session.name')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              autoComplete="name"
              required
            />
            <PasswordInput
              label={t('session.new_password')}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              autoComplete="new-password"
              visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
              required
            />
          </>
        )}
        {accept.isError && <ErrorState error={accept.error} />}
        <Button type="submit" loading={accept.isPending}>
          {t('invitation.accept')}
        </Button>
        {!viewer && (
          <Button
            variant="subtle"
            renderRoot={(props) => <Link to="/sign-in" search={{ return_to: `/invitations/${token}` }} {...props} />}
          >
            {t('invitation.sign_in_first')}
          </Button>
        )}
      </Stack>
    </form>
  );
}
