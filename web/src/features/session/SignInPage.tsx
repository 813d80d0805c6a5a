import { Alert, Anchor, Button, Divider, PasswordInput, Skeleton, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { sessionQuery, signInWaysQuery } from '../../api/app_queries';
import type { Session, SignInWays } from '../../api/app_types';
import { ApiError, call, rememberCsrfToken, withQuery } from '../../api/client';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { safeReturn } from './return_to';
import classes from './session.module.css';
import { useViewer } from './store';

const route = getRouteApi('/sign-in');

/** What a provider's failure may be called in the address; anything else is told in general. */
const CODES = [
  'cancelled',
  'state',
  'provider_unavailable',
  'email_unverified',
  'link_required',
  'linked_elsewhere',
  'no_account',
  'disabled',
  'too_many',
] as const;

export function SignInPage() {
  const { t } = useTranslation();
  const { error, return_to } = route.useSearch();
  const ways = useQuery(signInWaysQuery);
  const viewer = useViewer();
  const [signingUp, setSigningUp] = useState(false);
  const target = safeReturn(return_to);
  if (viewer) return <Navigate to={target} replace />;
  const code = CODES.find((known) => known === error);
  return (
    <div className={classes.narrow}>
      <Title order={1} fz="h2" ta="center" mb="lg">
        {t(signingUp ? 'session.sign_up_title' : 'session.sign_in_title')}
      </Title>
      {error && (
        <Alert color="red" variant="light" mb="md" role="alert" title={t('error.title')}>
          {t(code ? `session.error.${code}` : 'session.error.other')}
        </Alert>
      )}
      <Surface p="xl">
        {ways.isPending && <Skeleton height={220} aria-busy="true" aria-label={t('common.loading')} />}
        {ways.isError && <ErrorState error={ways.error} onRetry={() => ways.refetch()} />}
        {ways.isSuccess && <Ways ways={ways.data} signingUp={signingUp} target={target} />}
      </Surface>
      {ways.data?.sign_up && ways.data.password && (
        <Text ta="center" mt="md" size="sm">
          <Anchor component="button" type="button" inherit onClick={() => setSigningUp(!signingUp)}>
            {t(signingUp ? 'session.have_account' : 'session.no_account')}
          </Anchor>
        </Text>
      )}
      <Text ta="center" mt="md" size="sm" c="dimmed">
        {t('session.only_key')}{' '}
        <Anchor inherit underline="always" renderRoot={(props) => <Link to="/key" {...props} />}>
          {t('session.use_key')}
        </Anchor>
      </Text>
    </div>
  );
}

function Ways({ ways, signingUp, target }: { ways: SignInWays; signingUp: boolean; target: string }) {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      {ways.providers.map((provider) => (
        <Button
          key={provider.id}
          variant="default"
          size="md"
          fullWidth
          component="a"
          href={withQuery(provider.url, { return_to: target })}
        >
          {t('session.with', { provider: provider.name })}
        </Button>
      ))}
      {ways.providers.length > 0 && ways.password && <Divider label={t('session.or')} />}
      {ways.password && <PasswordForm signingUp={signingUp} />}
      {!ways.password && ways.providers.length === 0 && <Text>{t('session.no_way')}</Text>}
    </Stack>
  );
}

function PasswordForm({ signingUp }: { signingUp: boolean }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [fields, setFields] = useState({ email: '', password: '', name: '', account_name: '' });
  const enter = useMutation({
    mutationFn: () =>
      signingUp
        ? call<Session>('POST', '/auth/sign-up', fields)
        : call<Session>('POST', '/auth/sign-in', { email: fields.email, password: fields.password }),
    onSuccess: (session) => {
      rememberCsrfToken(session.csrf_token);
      queries.setQueryData(sessionQuery.queryKey, session);
    },
  });
  const set = (name: keyof typeof fields) => (event: { currentTarget: { value: string } }) =>
    setFields({ ...fields, [name]: event.currentTarget.value });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate();
  };
  const refused = enter.error instanceof ApiError && enter.error.status === 401;
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {signingUp && (
          <TextInput
            label={t('session.name')}
            value={fields.name}
            onChange={set('name')}
            autoComplete="name"
            required
          />
        )}
        <TextInput
          label={t('session.email')}
          type="email"
          value={fields.email}
          onChange={set('email')}
          autoComplete="username"
          required
        />
        <PasswordInput
          label={t('session.password')}
          value={fields.password}
          onChange={set('password')}
          autoComplete={signingUp ? 'new-password' : 'current-password'}
          visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
          required
        />
        {signingUp && (
          <TextInput
            label={t('session.account_name')}
            description={t('session.account_hint')}
            value={fields.account_name}
            onChange={set('account_name')}
            autoComplete="organization"
            required
          />
        )}
        {refused ? (
          <Alert color="red" variant="light" role="alert" title={t('session.refused')} />
        ) : (
          enter.isError && <ErrorState error={enter.error} />
        )}
        <Button type="submit" size="md" loading={enter.isPending}>
          {t(signingUp ? 'session.sign_up' : 'session.sign_in')}
        </Button>
      </Stack>
    </form>
  );
}
