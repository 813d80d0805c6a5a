import {
  ActionIcon,
  Button,
  Checkbox,
  Group,
  NativeSelect,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { Channel, ChannelModel, ProviderKind } from '../../api/app_types';
import { call } from '../../api/client';
import { ErrorState } from '../../ui/ErrorState';
import { CloseIcon } from '../../ui/icons';
import { type ModelRow, modelOf, rowOf } from './channel_models';

export function ChannelForm({ edited, onDone }: { edited: Channel | null; onDone: () => void }) {
  const { t } = useTranslation();
  const providers = useQuery(adminQuery<ProviderKind[]>('providers'));
  const [fields, setFields] = useState({
    name: edited?.name ?? '',
    provider: edited?.provider ?? 'openai',
    base_url: edited?.base_url ?? '',
    api_key: '',
    priority: edited?.priority ?? 0,
    weight: edited?.weight ?? 100,
  });
  const [rows, setRows] = useState<ModelRow[]>((edited?.models ?? []).map(rowOf));
  const kind = providers.data?.find(({ id }) => id === fields.provider);
  const save = useMutation({
    mutationFn: () => {
      const body = {
        name: fields.name.trim(),
        ...(edited ? {} : { provider: fields.provider }),
        ...addressOf(fields.base_url, edited !== null),
        ...(fields.api_key === '' ? {} : { api_key: fields.api_key }),
        priority: fields.priority,
        weight: fields.weight,
        models: rows.map(modelOf),
      };
      return edited
        ? call('PATCH', `/api/app/admin/channels/${edited.id}`, body)
        : call('POST', '/api/app/admin/channels', body);
    },
    onSuccess: onDone,
  });
  const set = (change: Partial<typeof fields>) => setFields({ ...fields, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Group grow align="flex-start">
          <TextInput
            label={t('keys.name')}
            value={fields.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            required
            data-autofocus
          />
          <NativeSelect
            label={t('generation.provider')}
            value={fields.provider}
            onChange={(event) => set({ provider: event.currentTarget.value })}
            disabled={edited !== null}
            data={(providers.data ?? [{ id: fields.provider, name: fields.provider }]).map(({ id, name }) => ({
              value: id,
              label: name,
            }))}
          />
        </Group>
        {providers.isError && <ErrorState error={providers.error} onRetry={() => providers.refetch()} />}
        <TextInput
          label={t('admin.base_url')}
          placeholder={kind?.default_base_url ?? 'https://'}
          value={fields.base_url}
          onChange={(event) => set({ base_url: event.currentTarget.value })}
        />
        <PasswordInput
          label={t('admin.api_key')}
          description={t(edited ? 'admin.api_key_kept' : 'admin.api_key_hint')}
          value={fields.api_key}
          onChange={(event) => set({ api_key: event.currentTarget.value })}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
        />
        <Group grow>
          <NumberInput
            label={t('admin.priority')}
            description={t('admin.priority_hint')}
            value={fields.priority}
            onChange={(value) => set({ priority: Number(value) || 0 })}
            allowDecimal={false}
          />
          <NumberInput
            label={t('admin.weight')}
            description={t('admin.weight_hint')}
            value={fields.weight}
            onChange={(value) => set({ weight: Number(value) || 0 })}
            min={0}
            allowDecimal={false}
          />
        </Group>
        <Models rows={rows} setRows={setRows} catalog={kind?.models ?? []} />
        {save.isError && <ErrorState error={save.error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={save.isPending} disabled={fields.name.trim() === '' || rows.length === 0}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Emptied, it goes back to the provider's own address; a new channel begins with that. */
function addressOf(typed: string, isEdited: boolean): { base_url?: string | null } {
  const base_url = typed.trim();
  if (base_url !== '') return { base_url };
  return isEdited ? { base_url: null } : {};
}

interface ModelsProps {
  rows: ModelRow[];
  setRows: (rows: ModelRow[]) => void;
  /** What the provider is known to offer, with prices. */
  catalog: readonly ChannelModel[];
}

function Models({ rows, setRows, catalog }: ModelsProps) {
  const { t } = useTranslation();
  const change = (place: number, changed: Partial<ModelRow>) =>
    setRows(rows.map((row, at) => (at === place ? { ...row, ...changed } : row)));
  const field = (place: number, name: 'id' | 'upstream' | 'prompt' | 'completion', label: string) => (
    <TextInput
      size="xs"
      flex={name === 'id' || name === 'upstream' ? '1 1 9rem' : '0 1 5.5rem'}
      label={label}
      value={rows[place]?.[name] ?? ''}
      onChange={(event) => change(place, { [name]: event.currentTarget.value })}
      required={name !== 'upstream'}
      spellCheck={false}
    />
  );
  const left = catalog.filter(({ id }) => !rows.some((row) => row.id === id));
  return (
    <Stack gap="sm">
      <div>
        <Title order={3} fz="md">
          {t('nav.models')}
        </Title>
        <Text size="sm" c="dimmed">
          {t('admin.models_hint')}
        </Text>
      </div>
      {rows.map((row, place) => (
        <Group key={row.key} gap="xs" align="flex-end" wrap="wrap">
          {field(place, 'id', t('admin.model_id'))}
          {field(place, 'upstream', t('admin.upstream'))}
          {field(place, 'prompt', t('models.input'))}
          {!row.embeds && field(place, 'completion', t('models.output'))}
          <Checkbox
            size="xs"
            mb={7}
            label={t('admin.embeds')}
            checked={row.embeds}
            onChange={(event) => change(place, { embeds: event.currentTarget.checked })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`${t('models.take_away')}: ${row.id}`}
            onClick={() => setRows(rows.filter((_, at) => at !== place))}
          >
            <CloseIcon />
          </ActionIcon>
        </Group>
      ))}
      <Group gap="sm">
        {left.length > 0 && (
          <Select
            size="xs"
            w="20rem"
            aria-label={t('admin.from_catalog')}
            placeholder={t('admin.from_catalog')}
            value={null}
            onChange={(id) => {
              const entry = catalog.find((one) => one.id === id);
              if (entry) setRows([...rows, rowOf(entry)]);
            }}
            data={left.map(({ id }) => id)}
            searchable
            limit={100}
          />
        )}
        <Button size="xs" variant="default" onClick={() => setRows([...rows, rowOf(null)])}>
          {t('admin.add_model')}
        </Button>
      </Group>
    </Stack>
  );
}
