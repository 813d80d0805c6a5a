import { Alert, Button, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { appPath, balanceAlertQuery, deliveriesQuery } from '../../api/app_queries';
import type { BalanceAlert } from '../../api/app_types';
import { call } from '../../api/client';
import { isAmount } from '../../money/decimal';
import { CodeBlock } from '../../ui/CodeBlock';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { ErrorState } from '../../ui/ErrorState';
import { useFailure } from '../../ui/FailureScope';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import { Time } from '../../ui/Time';

/** Who is told when the balance runs low: an amount, an address, and what was sent there. */
export function BalanceAlertForm({ account }: { account: string }) {
  const { t } = useTranslation();
  const alert = useQuery(balanceAlertQuery(account));
  // Shown once, and kept in sight: asking again for the alert must not take it away.
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Surface>
      <Title order={2} fz="h4">
        {t('alert.title')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('alert.text')}
      </Text>
      <QueryView query={alert} height={60}>
        {(known) => (
          <Fields
            key={known?.updated_at ?? known?.created_at ?? ''}
            account={account}
            known={known}
            onSecret={setSecret}
          />
        )}
      </QueryView>
      {secret && (
        <Alert color="yellow" variant="light" mt="md" title={t('alert.secret')}>
          <Text size="sm" mb="xs">
            {t('alert.secret_text')}
          </Text>
          <CodeBlock code={secret} label={t('alert.secret')} />
        </Alert>
      )}
      {alert.data && <Deliveries account={account} />}
    </Surface>
  );
}

function Fields({
  account,
  known,
  onSecret,
}: {
  account: string;
  known: BalanceAlert | null;
  onSecret: (secret: string | null) => void;
}) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [threshold, setThreshold] = useState(known?.threshold ?? '');
  const [url, setUrl] = useState(known?.url ?? '');
  const wrong = threshold.trim() !== '' && !isAmount(threshold);
  const path = appPath(account, '/balance-alert');
  const keep = (alert: BalanceAlert | null) => {
    queries.setQueryData(balanceAlertQuery(account).queryKey, alert);
  };
  const save = useMutation({
    mutationFn: () => call<BalanceAlert>('PATCH', path, { threshold: threshold.trim(), url: url.trim() }),
    onSuccess: (saved) => {
      if (saved.secret) onSecret(saved.secret);
      keep(saved);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) save.mutate();
  };
  return (
    <Stack gap="md">
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm">
          <TextInput
            label={t('alert.threshold')}
            value={threshold}
            onChange={(event) => setThreshold(event.currentTarget.value)}
            error={wrong ? t('keys.limit_wrong') : undefined}
            inputMode="decimal"
            leftSection="$"
            w="9rem"
            required
          />
          <TextInput
            label={t('alert.url')}
            type="url"
            placeholder="https://"
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
            flex="1 1 16rem"
            maw="28rem"
            required
          />
          <Button type="submit" loading={save.isPending}>
            {t('common.save')}
          </Button>
          {known && (
            <ConfirmButton
              size="sm"
              title={t('alert.remove_title')}
              text={t('alert.remove_text')}
              confirm={t('common.delete')}
              action={async () => {
                await call('DELETE', path);
                onSecret(null);
                keep(null);
              }}
            >
              {t('common.delete')}
            </ConfirmButton>
          )}
        </Group>
      </form>
      {save.isError && <ErrorState error={save.error} />}
    </Stack>
  );
}

/** What was sent, for whoever looks for a message that did not arrive. Nothing to see until the first. */
function Deliveries({ account }: { account: string }) {
  const { t } = useTranslation();
  const deliveries = useQuery(deliveriesQuery(account));
  const told = useFailure(deliveries);
  if (deliveries.isError && !told) return <ErrorState error={deliveries.error} onRetry={() => deliveries.refetch()} />;
  if (!deliveries.data?.length) return null;
  return (
    <Stack gap={6} mt="md">
      <Title order={3} fz="sm">
        {t('alert.deliveries')}
      </Title>
      <DataTable
        label={t('alert.deliveries')}
        rows={deliveries.data}
        rowKey={(row) => row.id}
        columns={[
          { key: 'at', header: t('common.when'), cell: (row) => <Time at={row.created_at} /> },
          {
            key: 'status',
            header: t('activity.status'),
            heading: true,
            cell: (row) => t(`alert.status.${row.status}`),
          },
          { key: 'attempts', header: t('alert.attempts'), numeric: true, cell: (row) => row.attempts },
          {
            key: 'last',
            header: t('alert.last'),
            cell: (row) => row.last_error ?? (row.last_status ? `HTTP ${row.last_status}` : '–'),
          },
        ]}
      />
    </Stack>
  );
}
