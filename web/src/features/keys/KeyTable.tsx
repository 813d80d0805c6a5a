import { Badge, Button, Group, Progress, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { appPath, keysQuery } from '../../api/app_queries';
import type { Key } from '../../api/app_types';
import { call } from '../../api/client';
import { formatUsd, percentOf } from '../../money/decimal';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { forDrawing } from '../../ui/numbers';
import { Sparkline } from '../../ui/Sparkline';
import { Time } from '../../ui/Time';
import { useToasts } from '../../ui/toasts';
import { useFailureToast } from '../../ui/use_failure_toast';
import { forgetMadeKey } from '../key/store';
import classes from './keys.module.css';

export function KeyTable({ account, keys, onEdit }: { account: string; keys: Key[]; onEdit: (key: Key) => void }) {
  const { t } = useTranslation();
  return (
    <DataTable
      label={t('keys.title')}
      rows={keys}
      rowKey={(key) => key.hash}
      columns={[
        { key: 'name', header: t('keys.name'), heading: true, cell: (key) => <Name name={key} /> },
        { key: 'limit', header: t('keys.limit'), cell: (key) => <Limit limited={key} /> },
        {
          key: 'month',
          header: t('keys.this_month'),
          amount: (key) => key.usage_monthly,
        },
        { key: 'days', header: t('keys.days'), cell: (key) => <Days days={key} /> },
        {
          key: 'used',
          header: t('keys.last_used'),
          wide: true,
          cell: (key) => (key.last_used_at ? <Time at={key.last_used_at} /> : t('keys.never')),
        },
        { key: 'acts', header: '', cell: (key) => <Acts account={account} of={key} onEdit={() => onEdit(key)} /> },
      ]}
    />
  );
}

function Name({ name: key }: { name: Key }) {
  const { t } = useTranslation();
  const over = key.expires_at && new Date(key.expires_at).getTime() <= Date.now();
  return (
    <Stack gap={2} align="flex-start">
      <Group gap={6}>
        <Text size="sm" fw={600} component="span">
          {key.name}
        </Text>
        {key.disabled && (
          <Badge size="sm" color="gray" variant="light" tt="none">
            {t('keys.disabled')}
          </Badge>
        )}
        {over && (
          <Badge size="sm" color="red" variant="light" tt="none">
            {t('keys.expired')}
          </Badge>
        )}
      </Group>
      <Text size="xs" c="dimmed" ff="monospace" component="span" style={{ whiteSpace: 'nowrap' }}>
        {key.label}
      </Text>
      {key.expires_at && !over && (
        <Text size="xs" c="dimmed" component="span">
          {t('keys.until')} <Time at={key.expires_at} day />
        </Text>
      )}
    </Stack>
  );
}

function Limit({ limited: key }: { limited: Key }) {
  const { t, i18n } = useTranslation();
  if (key.limit === null)
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('keys.no_limit')}
      </Text>
    );
  const left = key.limit_remaining ?? '0';
  return (
    <div style={{ minWidth: '8rem' }}>
      <Text size="sm" component="div">
        {t('keys.left', { left: formatUsd(left, i18n.language), limit: formatUsd(key.limit, i18n.language) })}
      </Text>
      <Progress value={percentOf(left, key.limit)} size="sm" mt={4} aria-label={t('keys.limit')} />
      {key.limit_reset && (
        <Text size="xs" c="dimmed" component="div">
          {t(`key.reset_${key.limit_reset}`)}
        </Text>
      )}
    </div>
  );
}

function Days({ days: key }: { days: Key }) {
  const { t, i18n } = useTranslation();
  const series = key.usage_daily_series ?? [];
  if (series.length === 0) return <span>–</span>;
  return (
    <Sparkline
      values={series.map((day) => forDrawing(day.spend) ?? 0)}
      label={t('keys.days_label', { name: key.name, month: formatUsd(key.usage_monthly, i18n.language) })}
    />
  );
}

function Acts({ account, of: key, onEdit }: { account: string; of: Key; onEdit: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const failed = useFailureToast();
  const path = appPath(account, `/keys/${key.hash}`);
  const renew = () => queries.invalidateQueries({ queryKey: keysQuery(account).queryKey });
  const set = async (disabled: boolean) => {
    await call('PATCH', path, { disabled });
    if (disabled) forgetMadeKey(key.hash);
    await renew();
  };
  const toggle = useMutation({
    mutationFn: () => set(!key.disabled),
    onSuccess: () =>
      show({
        text: t(key.disabled ? 'keys.was_enabled' : 'keys.was_disabled', { name: key.name }),
        tone: 'done',
        undo: () => set(key.disabled).catch(failed),
      }),
    onError: failed,
  });
  const named = (act: string) => `${act}: ${key.name}`;
  return (
    <Group gap={4} justify="flex-end" className={classes.acts ?? ''}>
      <Button
        variant="subtle"
        size="compact-xs"
        aria-label={named(t('keys.requests'))}
        renderRoot={(props) => <Link to="/activity" search={{ key: key.hash }} {...props} />}
      >
        {t('keys.requests')}
      </Button>
      <Button variant="default" size="compact-xs" onClick={onEdit} aria-label={named(t('keys.change'))}>
        {t('keys.change')}
      </Button>
      <Button
        variant="default"
        size="compact-xs"
        onClick={() => toggle.mutate()}
        loading={toggle.isPending}
        aria-label={named(t(key.disabled ? 'keys.enable' : 'keys.disable'))}
      >
        {t(key.disabled ? 'keys.enable' : 'keys.disable')}
      </Button>
      <ConfirmButton
        size="compact-xs"
        aria-label={named(t('common.delete'))}
        title={t('keys.delete_title', { name: key.name })}
        text={t('keys.delete_text')}
        confirm={t('common.delete')}
        action={async () => {
          await call('DELETE', path);
          forgetMadeKey(key.hash);
          await renew();
        }}
      >
        {t('common.delete')}
      </ConfirmButton>
    </Group>
  );
}
