import { Button, Group, NumberInput, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { accountQuery } from '../../api/app_queries';
import type { Account } from '../../api/app_types';
import { call } from '../../api/client';
import { ErrorState } from '../../ui/ErrorState';
import { useToasts } from '../../ui/toasts';

const LIMITS = ['rpm', 'tpm', 'concurrency'] as const;

/** What all keys of an account together may ask; an empty field is no limit. */
export function AccountLimits({ account }: { account: Account }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const [limits, setLimits] = useState({ rpm: account.rpm, tpm: account.tpm, concurrency: account.concurrency });
  const save = useMutation({
    mutationFn: () => call<Account>('PATCH', `/api/app/admin/accounts/${account.id}`, limits),
    onSuccess: () => {
      show({ text: t('common.saved'), tone: 'done' });
      return queries.invalidateQueries({ queryKey: accountQuery(account.id).queryKey });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t('admin.limits_hint')}
        </Text>
        <Group grow align="flex-end" preventGrowOverflow={false}>
          {LIMITS.map((limit) => (
            <NumberInput
              key={limit}
              label={t(`keys.${limit}`)}
              placeholder={t('keys.no_limit')}
              value={limits[limit] ?? ''}
              onChange={(value) => setLimits({ ...limits, [limit]: typeof value === 'number' ? value : null })}
              min={1}
              allowDecimal={false}
              thousandSeparator=" "
              miw="9rem"
            />
          ))}
        </Group>
        {save.isError && <ErrorState error={save.error} />}
        <Group justify="flex-end">
          <Button type="submit" variant="default" loading={save.isPending}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
