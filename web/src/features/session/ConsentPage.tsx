import { Alert, Button, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath } from '../../api/app_queries';
import { call } from '../../api/client';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { Guard } from './Guard';
import classes from './session.module.css';
import { KEY_MAKERS } from './store';

const route = getRouteApi('/auth');

/** Another program asks for a key of the account: says which one, and what it would be able to do. */
export function ConsentPage() {
  const { t } = useTranslation();
  const { callback_url = '' } = route.useSearch();
  const host = hostOf(callback_url);
  if (host === null) return <EmptyState title={t('consent.broken_title')} text={t('consent.broken')} />;
  return <Guard roles={KEY_MAKERS}>{({ account }) => <Ask host={host} account={account} />}</Guard>;
}

function Ask({ host, account }: { host: string; account: { id: string; name: string } }) {
  const { t } = useTranslation();
  const { callback_url = '', code_challenge, code_challenge_method } = route.useSearch();
  const [name, setName] = useState(host);
  const [limit, setLimit] = useState('');
  const allow = useMutation({
    mutationFn: () =>
      call<{ redirect_url: string }>('POST', appPath(account.id, '/authorization-codes'), {
        callback_url,
        code_challenge: code_challenge ?? null,
        code_challenge_method: code_challenge ? (code_challenge_method ?? 'S256') : null,
        name,
        ...(limit.trim() === '' ? {} : { limit: limit.trim() }),
      }),
    onSuccess: ({ redirect_url }) => window.location.assign(redirect_url),
  });
  return (
    <div className={classes.narrow}>
      <Surface p="xl">
        <Stack gap="md">
          <Title order={1} fz="h3" style={{ overflowWrap: 'anywhere' }}>
            {t('consent.title', { host })}
          </Title>
          <Text size="sm">{t('consent.text', { account: account.name })}</Text>
          <TextInput label={t('keys.name')} value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <TextInput
            label={t('keys.limit')}
            description={t('consent.limit_hint')}
            placeholder={t('keys.no_limit')}
            value={limit}
            onChange={(event) => setLimit(event.currentTarget.value)}
            inputMode="decimal"
            leftSection="$"
          />
          {!code_challenge && <Alert color="yellow" variant="light" title={t('consent.no_challenge')} />}
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {t('consent.back_to', { url: callback_url })}
          </Text>
          {allow.isError && <ErrorState error={allow.error} />}
          <Group grow preventGrowOverflow={false}>
            <Button variant="default" renderRoot={(props) => <Link to="/" {...props} />}>
              {t('consent.refuse')}
            </Button>
            <Button onClick={() => allow.mutate()} loading={allow.isPending || allow.isSuccess}>
              {t('consent.allow')}
            </Button>
          </Group>
        </Stack>
      </Surface>
    </div>
  );
}

function hostOf(url: string): string | null {
  try {
    const { protocol, host } = new URL(url);
    return ['http:', 'https:'].includes(protocol) ? host : null;
  } catch {
    return null;
  }
}
