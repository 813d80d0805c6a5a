import { Badge, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { Channel, ChannelTest } from '../../api/app_types';
import { call } from '../../api/client';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { formatDuration } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { RowLink } from '../../ui/RowLink';
import { useToasts } from '../../ui/toasts';
import { useFailureToast } from '../../ui/use_failure_toast';
import { useLiveInterval } from '../live/store';
import classes from './admin.module.css';
import { ChannelDetail, HealthWord } from './ChannelDetail';
import { ChannelForm } from './ChannelForm';
import { type ChannelHealth, HEALTH_STATES } from './channel_health';
import { useChannelTests } from './channel_tests';
import { LastTest } from './LastTest';

const route = getRouteApi('/admin/$section');
const channelsQuery = adminQuery<Channel[]>('channels');

export function ChannelsSection() {
  const { t } = useTranslation();
  const channels = useQuery({ ...channelsQuery, refetchInterval: useLiveInterval() });
  const queries = useQueryClient();
  const [opened, { open, close }] = useDisclosure(false);
  const [edited, setEdited] = useState<Channel | null>(null);
  const { channel: detailed = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const show = (id?: string) => navigate({ search: id ? { channel: id } : {}, replace: true, resetScroll: false });
  const edit = (channel: Channel | null) => {
    setEdited(channel);
    open();
  };
  return (
    <Stack gap="md">
      <Group justify="flex-end">
        <Button onClick={() => edit(null)}>{t('admin.new_channel')}</Button>
      </Group>
      <QueryView
        query={channels}
        height={280}
        empty={<EmptyState title={t('admin.no_channels_title')} text={t('admin.no_channels')} />}
      >
        {(rows) => (
          <DataTable
            label={t('admin.section.channels')}
            rows={rows}
            rowKey={(row) => row.id}
            columns={[
              {
                key: 'name',
                header: t('keys.name'),
                heading: true,
                cell: (row) => <Name channel={row} onOpen={() => show(row.id)} />,
              },
              { key: 'health', header: t('admin.health'), cell: (row) => <Health channel={row} /> },
              {
                key: 'models',
                header: t('nav.models'),
                wide: true,
                cell: (row) => (
                  <span className={classes.whole} title={row.models.map(({ id }) => id).join(', ')}>
                    {t('models.count', { count: row.models.length })}
                  </span>
                ),
              },
              {
                key: 'order',
                header: t('admin.priority_weight'),
                wide: true,
                cell: (row) => `${row.priority} / ${row.weight}`,
              },
              { key: 'test', header: t('admin.last_test'), cell: (row) => <LastTest channel={row.id} /> },
              { key: 'acts', header: '', cell: (row) => <Acts channel={row} onEdit={() => edit(row)} /> },
            ]}
          />
        )}
      </QueryView>
      <Modal
        opened={opened}
        onClose={close}
        size="xl"
        title={edited ? edited.name : t('admin.new_channel')}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <ChannelForm
          edited={edited}
          onDone={() => {
            close();
            queries.invalidateQueries({ queryKey: ['admin'] });
            queries.invalidateQueries({ queryKey: ['models'] });
          }}
        />
      </Modal>
      <ChannelDetail
        id={detailed}
        name={channels.data?.find(({ id }) => id === detailed)?.name ?? ''}
        onClose={() => show()}
      />
    </Stack>
  );
}

function Name({ channel, onOpen }: { channel: Channel; onOpen: () => void }) {
  const { t } = useTranslation();
  return (
    <Stack gap={2} align="flex-start">
      <Group gap={6}>
        <RowLink onClick={onOpen}>{channel.name}</RowLink>
        {channel.managed_by === 'file' && (
          <Badge size="sm" variant="default" tt="none" fw={500} title={t('admin.from_file_text')}>
            {t('admin.from_file')}
          </Badge>
        )}
      </Group>
      <Text size="xs" c="dimmed" component="span">
        {channel.provider}
        {channel.base_url ? ` · ${channel.base_url}` : ''}
      </Text>
    </Stack>
  );
}

function Health({ channel }: { channel: Channel }) {
  const { t, i18n } = useTranslation();
  const health = channel.health as Partial<ChannelHealth> | undefined;
  const state = HEALTH_STATES.find((one) => one === health?.status) ?? 'unknown';
  const latency = health?.last_1d?.average_time_to_first_token_ms;
  return (
    <Group gap={8} wrap="nowrap" style={{ display: 'inline-flex' }}>
      <HealthWord state={state} />
      {typeof latency === 'number' && (
        <Text size="xs" c="dimmed" component="span" className={classes.whole ?? ''} title={t('admin.first_token')}>
          {formatDuration(Math.round(latency), i18n.language)}
        </Text>
      )}
    </Group>
  );
}

function Acts({ channel, onEdit }: { channel: Channel; onEdit: () => void }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const keep = useChannelTests((state) => state.keep);
  const path = `/api/app/admin/channels/${channel.id}`;
  const failed = useFailureToast();
  const test = useMutation({
    mutationFn: () => call<ChannelTest>('POST', `${path}/test`),
    onSuccess: (result) => {
      keep(channel.id, result);
      show(
        result.ok
          ? {
              tone: 'done',
              text: t('admin.test_ok', { name: channel.name, time: formatDuration(result.latency_ms, i18n.language) }),
            }
          : {
              tone: 'failed',
              text: t('admin.test_failed', { name: channel.name, error: result.error?.message ?? '' }),
            },
      );
    },
    onError: failed,
    onSettled: () => queries.invalidateQueries({ queryKey: channelsQuery.queryKey }),
  });
  const disabled = channel.status === 'disabled';
  const set = (status: string) =>
    call('PATCH', path, { status }).finally(() => queries.invalidateQueries({ queryKey: channelsQuery.queryKey }));
  const toggle = useMutation({
    mutationFn: () => set(disabled ? 'enabled' : 'disabled'),
    onSuccess: () =>
      show({
        tone: 'done',
        text: t(disabled ? 'keys.was_enabled' : 'keys.was_disabled', { name: channel.name }),
        undo: () => set(disabled ? 'disabled' : 'enabled').catch(failed),
      }),
    onError: failed,
  });
  const named = (act: string) => `${act}: ${channel.name}`;
  return (
    <Group gap={6} justify="flex-end" className={classes.acts ?? ''}>
      <Button
        size="compact-sm"
        variant="default"
        onClick={() => test.mutate()}
        loading={test.isPending}
        aria-label={named(t('admin.test'))}
      >
        {t('admin.test')}
      </Button>
      {channel.managed_by !== 'file' && (
        <>
          <Button size="compact-sm" variant="default" onClick={onEdit} aria-label={named(t('keys.change'))}>
            {t('keys.change')}
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => toggle.mutate()}
            loading={toggle.isPending}
            aria-label={named(t(disabled ? 'keys.enable' : 'keys.disable'))}
          >
            {t(disabled ? 'keys.enable' : 'keys.disable')}
          </Button>
          <ConfirmButton
            size="compact-sm"
            aria-label={named(t('common.delete'))}
            title={t('admin.delete_channel_title', { name: channel.name })}
            text={t('admin.delete_channel')}
            confirm={t('common.delete')}
            action={async () => {
              await call('DELETE', path);
              await queries.invalidateQueries({ queryKey: ['admin'] });
            }}
          >
            {t('common.delete')}
          </ConfirmButton>
        </>
      )}
    </Group>
  );
}
