import { Button, NativeSelect, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { accountPreferencesQuery, accountQuery, appPath, sessionQuery } from '../../api/app_queries';
import { type Account, type AccountPreferences, STRATEGIES } from '../../api/app_types';
import { call } from '../../api/client';
import { modelsQuery } from '../../api/queries';
import { ErrorState } from '../../ui/ErrorState';
import { Fact, Facts } from '../../ui/Facts';
import { formatCount } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import { Time } from '../../ui/Time';
import { useToasts } from '../../ui/toasts';

export function AccountSection({ account, manages }: { account: string; manages: boolean }) {
  const query = useQuery(accountQuery(account));
  return (
    <Stack gap="lg" maw="36rem">
      <QueryView query={query} height={240}>
        {(data) => (
          <>
            <About account={data} />
            {manages && <Change key={data.id} account={data} />}
          </>
        )}
      </QueryView>
      {manages && <Defaults account={account} />}
    </Stack>
  );
}

/** Of all keys together, set by who runs the platform. */
const LIMITS = ['rpm', 'tpm', 'concurrency'] as const;

function About({ account }: { account: Account }) {
  const { t, i18n } = useTranslation();
  const free = account.free_tier;
  return (
    <Surface>
      <Facts>
        <Fact label={t('settings.account_name')}>{account.name}</Fact>
        <Fact label={t('settings.account_id')}>{account.id}</Fact>
        <Fact label={t('settings.since')}>
          <Time at={account.created_at} day />
        </Fact>
        {LIMITS.map((name) => {
          const limit = account[name];
          return limit === null ? null : (
            <Fact key={name} label={t(`keys.${name}`)}>
              {formatCount(limit, i18n.language)}
            </Fact>
          );
        })}
        {free && (
          <Fact label={t('settings.free_tier')}>
            {t('settings.free_used', {
              used: formatCount(free.requests_today, i18n.language),
              limit: formatCount(free.limit_per_day, i18n.language),
            })}
          </Fact>
        )}
      </Facts>
    </Surface>
  );
}

function Change({ account }: { account: Account }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const [name, setName] = useState(account.name);
  const save = useMutation({
    mutationFn: () => call<Account>('PATCH', appPath(account.id), { name: name.trim() }),
    onSuccess: () => {
      show({ text: t('common.saved'), tone: 'done' });
      queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
      return queries.invalidateQueries({ queryKey: accountQuery(account.id).queryKey });
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
            label={t('settings.account_name')}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
          />
          {save.isError && <ErrorState error={save.error} />}
          <Button type="submit" loading={save.isPending} w="fit-content">
            {t('common.save')}
          </Button>
        </Stack>
      </form>
    </Surface>
  );
}

type AccountPreferencesChange = Partial<Omit<AccountPreferences, 'privacy'>> & {
  privacy?: Partial<AccountPreferences['privacy']>;
};

/** What holds for everybody in the account who has not chosen otherwise. */
function Defaults({ account }: { account: string }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const models = useQuery(modelsQuery);
  const query = useQuery(accountPreferencesQuery(account));
  const save = useMutation({
    mutationFn: (change: AccountPreferencesChange) =>
      call<AccountPreferences>('PATCH', appPath(account, '/preferences'), change),
    onSuccess: (saved) => queries.setQueryData(accountPreferencesQuery(account).queryKey, saved),
  });
  return (
    <QueryView query={query} height={240}>
      {(data) => (
        <Surface>
          <Stack gap="md">
            <div>
              <Title order={2} fz="h4">
                {t('settings.defaults')}
              </Title>
              <Text size="sm" c="dimmed">
                {t('settings.defaults_text')}
              </Text>
            </div>
            {save.isError && <ErrorState error={save.error} />}
            <NativeSelect
              label={t('settings.default_model')}
              value={data.default_model ?? ''}
              onChange={(event) => save.mutate({ default_model: event.currentTarget.value || null })}
              data={[
                { value: '', label: t('settings.not_set') },
                ...(models.data ?? []).map(({ id }) => ({ value: id, label: id })),
              ]}
            />
            <NativeSelect
              label={t('settings.strategy')}
              value={data.routing_strategy ?? ''}
              onChange={(event) =>
                save.mutate({
                  routing_strategy: (event.currentTarget.value || null) as AccountPreferences['routing_strategy'],
                })
              }
              data={[
                { value: '', label: t('settings.not_set') },
                ...STRATEGIES.map((value) => ({ value: value as string, label: t(`strategy.${value}`) })),
              ]}
            />
            <NativeSelect
              label={t('settings.privacy')}
              value={data.privacy.data_collection ?? ''}
              onChange={(event) => {
                const value = event.currentTarget.value as '' | 'allow' | 'deny';
                save.mutate({ privacy: { data_collection: value === '' ? null : value } });
              }}
              data={[
                { value: '', label: t('settings.not_set') },
                { value: 'allow', label: t('settings.collection_allowed') },
                { value: 'deny', label: t('settings.collection_denied') },
              ]}
            />
          </Stack>
        </Surface>
      )}
    </QueryView>
  );
}
