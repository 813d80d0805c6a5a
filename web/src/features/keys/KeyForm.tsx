import { Button, Group, MultiSelect, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath, keysQuery } from '../../api/app_queries';
import type { Key } from '../../api/app_types';
import { call } from '../../api/client';
import { everyModelQuery } from '../../api/queries';
import { isAmount } from '../../money/decimal';
import { dayOf, lastSecondOf } from '../../ui/days';
import { ErrorState } from '../../ui/ErrorState';

interface KeyFormProps {
  account: string;
  /** Null when a new one is made. */
  edited: Key | null;
  onDone: (key: Key) => void;
}

const RESETS = ['', 'daily', 'weekly', 'monthly'] as const;

export function KeyForm({ account, edited, onDone }: KeyFormProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const models = useQuery(everyModelQuery);
  const [name, setName] = useState(edited?.name ?? '');
  const [limit, setLimit] = useState(edited?.limit === null || edited === null ? '' : String(edited.limit));
  const [reset, setReset] = useState<string>(edited?.limit_reset ?? '');
  const [expires, setExpires] = useState(edited?.expires_at ? dayOf(edited.expires_at) : '');
  const [allowed, setAllowed] = useState<string[]>(edited?.allowed_models ?? []);
  const [rpm, setRpm] = useState<number | null>(edited?.rpm ?? null);
  const [concurrency, setConcurrency] = useState<number | null>(edited?.concurrency ?? null);
  const wrong = limit.trim() !== '' && !isAmount(limit);

  const save = useMutation({
    mutationFn: () => {
      const body = {
        name: name.trim(),
        limit: limit.trim() === '' ? null : limit.trim(),
        limit_reset: reset === '' ? null : reset,
        // The whole of the day named, where the reader is.
        expires_at: lastSecondOf(expires) ?? null,
        allowed_models: allowed.length === 0 ? null : allowed,
        rpm,
        concurrency,
      };
      return edited
        ? call<Key>('PATCH', appPath(account, `/keys/${edited.hash}`), body)
        : call<Key>('POST', appPath(account, '/keys'), body);
    },
    onSuccess: (key) => {
      queries.invalidateQueries({ queryKey: keysQuery(account).queryKey });
      onDone(key);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) save.mutate();
  };
  const number = (set: (value: number | null) => void) => (value: string | number) =>
    set(typeof value === 'number' ? value : null);

  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t('keys.name')}
          description={t('keys.name_hint')}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maxLength={100}
          required
          data-autofocus
        />
        <Group grow align="flex-start">
          <TextInput
            label={t('keys.limit')}
            placeholder={t('keys.no_limit')}
            value={limit}
            onChange={(event) => setLimit(event.currentTarget.value)}
            error={wrong ? t('keys.limit_wrong') : undefined}
            inputMode="decimal"
            leftSection="$"
          />
          <NativeSelect
            label={t('keys.reset')}
            value={reset}
            onChange={(event) => setReset(event.currentTarget.value)}
            data={RESETS.map((value) => ({ value, label: t(`keys.reset_${value === '' ? 'never' : value}`) }))}
          />
        </Group>
        <TextInput
          type="date"
          label={t('keys.expires')}
          description={t('keys.expires_hint')}
          value={expires}
          onChange={(event) => setExpires(event.currentTarget.value)}
        />
        <MultiSelect
          label={t('keys.models')}
          placeholder={allowed.length === 0 ? t('keys.all_models') : ''}
          data={(models.data ?? []).map(({ id }) => id)}
          value={allowed}
          onChange={setAllowed}
          searchable
          limit={50}
          clearable
        />
        <Group grow>
          <NumberInput
            label={t('keys.rpm')}
            placeholder={t('keys.no_limit')}
            value={rpm ?? ''}
            onChange={number(setRpm)}
            min={1}
            allowDecimal={false}
          />
          <NumberInput
            label={t('keys.concurrency')}
            placeholder={t('keys.no_limit')}
            value={concurrency ?? ''}
            onChange={number(setConcurrency)}
            min={1}
            allowDecimal={false}
          />
        </Group>
        {save.isError && <ErrorState error={save.error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending} disabled={name.trim() === '' || wrong}>
            {t(edited ? 'common.save' : 'keys.create')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
