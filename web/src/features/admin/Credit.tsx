import { Alert, Button, Modal, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Account, Transaction } from '../../api/app_types';
import { call } from '../../api/client';
import { formatUsd } from '../../money/decimal';
import { ErrorState } from '../../ui/ErrorState';
import { useToasts } from '../../ui/toasts';
import { useViewer } from '../session/store';
import {
  CREDIT_KINDS,
  type CreditDraft,
  isUnsettled,
  type SentCredit,
  settleCredit,
  toSend,
  useSentCredits,
} from './sent_credits';

const NOTHING: CreditDraft = { kind: 'topup', amount: '', reason: '' };

/** Credits an account, once. */
export function Credit({ account }: { account: Account }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const place = `${useViewer()?.session.user.id} ${account.id}`;
  const sent = useSentCredits(({ all }) => all[place]);
  const [opened, { open, close }] = useDisclosure(false);
  const [draft, setDraft] = useState(NOTHING);
  const set = (change: Partial<CreditDraft>) => setDraft({ ...draft, ...change });
  // What was sent stays as it is until it is known what became of it.
  const { kind, amount, reason } = sent ?? draft;
  const wrong = amount.trim() !== '' && !/^-?\d{1,10}(\.\d{1,9})?$/.test(amount.trim());
  const credit = useMutation({
    mutationFn: ({ credit: { idempotencyKey, ...body } }: { credit: SentCredit; isRepeated: boolean }) =>
      call<Transaction>('POST', `/api/app/admin/accounts/${account.id}/credits`, {
        ...body,
        idempotency_key: idempotencyKey,
      }),
    onSuccess: (_, { credit }) => {
      settleCredit(place);
      close();
      show({
        tone: 'done',
        text: t('admin.credited', { amount: formatUsd(credit.amount, i18n.language), name: account.name }),
      });
      queries.invalidateQueries({ queryKey: ['admin', 'accounts'] });
      queries.invalidateQueries({ queryKey: ['account', account.id] });
      queries.invalidateQueries({ queryKey: ['transactions', account.id] });
    },
    onError: (error, { isRepeated }) => {
      if (!isUnsettled(error, isRepeated)) settleCredit(place);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrong || credit.isPending) return;
    const isRepeated = sent !== undefined;
    const trimmed = { ...draft, amount: draft.amount.trim(), reason: draft.reason.trim() };
    credit.mutate({ credit: toSend(place, trimmed), isRepeated });
  };
  const start = () => {
    if (sent === undefined) {
      setDraft(NOTHING);
      credit.reset();
    }
    open();
  };
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={start} aria-label={`${t('admin.credit')}: ${account.name}`}>
        {t('admin.credit')}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={t('admin.credit_title', { name: account.name })}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <form onSubmit={submit}>
          <Stack gap="md">
            <NativeSelect
              label={t('credits.kind')}
              value={kind}
              onChange={(event) => set({ kind: event.currentTarget.value as CreditDraft['kind'] })}
              data={CREDIT_KINDS.map((one) => ({ value: one as string, label: t(`transaction.${one}`) }))}
              disabled={sent !== undefined}
            />
            <TextInput
              label={t('credits.amount')}
              value={amount}
              onChange={(event) => set({ amount: event.currentTarget.value })}
              error={wrong ? t('keys.limit_wrong') : undefined}
              inputMode="decimal"
              leftSection="$"
              required
              data-autofocus
              disabled={sent !== undefined}
            />
            <TextInput
              label={t('admin.reason')}
              value={reason}
              onChange={(event) => set({ reason: event.currentTarget.value })}
              required
              disabled={sent !== undefined}
            />
            {credit.isError && <ErrorState error={credit.error} />}
            {sent && !credit.isPending && (
              <Alert color="yellow" variant="light" title={t('admin.credit_unsure')} role="status" />
            )}
            <Button type="submit" loading={credit.isPending} disabled={wrong}>
              {t('admin.credit')}
            </Button>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
