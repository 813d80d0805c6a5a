import { Button, Group, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath } from '../../api/app_queries';
import type { Redemption } from '../../api/app_types';
import { ApiError, call } from '../../api/client';
import { formatUsd } from '../../money/decimal';
import { useExplained } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { useToasts } from '../../ui/toasts';

const REFUSALS = { 404: 'unknown', 409: 'used', 410: 'expired', 429: 'too_often' } as const;

export function RedeemForm({ account }: { account: string }) {
  const { t, i18n } = useTranslation();
  const explained = useExplained();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const [code, setCode] = useState('');
  const redeem = useMutation({
    mutationFn: () => call<Redemption>('POST', appPath(account, '/redemptions'), { code: code.trim() }),
    onSuccess: ({ amount }) => {
      setCode('');
      show({ text: t('credits.redeemed', { amount: formatUsd(amount, i18n.language) }), tone: 'done' });
      queries.invalidateQueries({ queryKey: ['account', account] });
      queries.invalidateQueries({ queryKey: ['transactions', account] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    redeem.mutate();
  };
  const refusal = redeem.error instanceof ApiError ? REFUSALS[redeem.error.status as keyof typeof REFUSALS] : undefined;
  return (
    <Surface>
      <Title order={2} fz="h4">
        {t('credits.redeem_title')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('credits.redeem_text')}
      </Text>
      <form onSubmit={submit}>
        <Group align="flex-start" gap="sm">
          <TextInput
            flex="1 1 16rem"
            maw="28rem"
            aria-label={t('credits.code')}
            placeholder={t('credits.code')}
            value={code}
            onChange={(event) => {
              setCode(event.currentTarget.value);
              redeem.reset();
            }}
            error={
              redeem.isError ? (refusal ? t(`credits.refusal.${refusal}`) : explained(redeem.error).text) : undefined
            }
            autoComplete="off"
            spellCheck={false}
          />
          <Button type="submit" loading={redeem.isPending} disabled={code.trim() === ''}>
            {t('credits.redeem')}
          </Button>
        </Group>
      </form>
    </Surface>
  );
}
