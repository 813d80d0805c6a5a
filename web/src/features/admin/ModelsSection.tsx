import { Button, Group, Modal, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { AdminModel, Prices, PriceVersion } from '../../api/app_types';
import { call } from '../../api/client';
import { type DecimalText, formatUsd } from '../../money/decimal';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { priceOf } from './channel_models';

const modelsQuery = adminQuery<AdminModel[]>('models');

interface Offer {
  model: AdminModel;
  channel: AdminModel['channels'][number];
}

/** Every model on every channel, with its price now; a click shows all prices it ever had. */
export function ModelsSection() {
  const { t } = useTranslation();
  const models = useQuery(modelsQuery);
  const [search, setSearch] = useState('');
  const [opened, setOpened] = useState<AdminModel | null>(null);
  return (
    <Stack gap="md">
      <TextInput
        maw="24rem"
        aria-label={t('models.search')}
        placeholder={t('models.search')}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      <QueryView
        query={models}
        height={320}
        empty={<EmptyState title={t('models.empty_title')} text={t('models.empty')} />}
      >
        {(all) => (
          <DataTable
            label={t('admin.section.models')}
            rows={offers(all, search)}
            rowKey={({ model, channel }) => `${model.id} ${channel.channel_id}`}
            columns={[
              { key: 'model', header: t('playground.model'), heading: true, cell: ({ model }) => model.id },
              { key: 'channel', header: t('admin.channel'), cell: ({ channel }) => channel.channel_name },
              {
                key: 'price',
                header: t('admin.price'),
                numeric: true,
                cell: ({ channel }) => <PricePair prices={channel.price} />,
              },
              {
                key: 'cost',
                header: t('admin.cost'),
                numeric: true,
                wide: true,
                cell: ({ channel }) => <PricePair prices={channel.cost} />,
              },
              {
                key: 'versions',
                header: '',
                cell: ({ model }) => (
                  <Button
                    size="compact-sm"
                    variant="default"
                    onClick={() => setOpened(model)}
                    aria-label={`${t('admin.prices')}: ${model.id}`}
                  >
                    {t('admin.price_versions', { count: model.price_versions })}
                  </Button>
                ),
              },
            ]}
          />
        )}
      </QueryView>
      <Modal
        opened={opened !== null}
        onClose={() => setOpened(null)}
        size="xl"
        title={opened?.id}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {opened && <Versions model={opened} />}
      </Modal>
    </Stack>
  );
}

function offers(models: readonly AdminModel[], search: string): Offer[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return models
    .filter((model) => words.every((word) => `${model.id} ${model.name}`.toLowerCase().includes(word)))
    .flatMap((model) => model.channels.map((channel) => ({ model, channel })));
}

function PricePair({ prices }: { prices: Prices | 'free' | null | undefined }) {
  const { t, i18n } = useTranslation();
  if (prices === 'free') return <span>{t('common.free')}</span>;
  if (!prices) return <span>–</span>;
  const usd = (amount: DecimalText | undefined) =>
    amount === undefined ? '–' : (formatUsd(amount, i18n.language) ?? '–');
  return (
    <span>
      {usd(prices.prompt)} / {usd(prices.completion)}
    </span>
  );
}

function Versions({ model }: { model: AdminModel }) {
  const { t } = useTranslation();
  const versions = useQuery(adminQuery<PriceVersion[]>(`price-versions?model=${encodeURIComponent(model.id)}`));
  return (
    <Stack gap="lg">
      <QueryView query={versions} height={200} empty={<Text c="dimmed">{t('admin.no_versions')}</Text>}>
        {(rows) => (
          <DataTable
            label={t('admin.prices')}
            rows={rows}
            rowKey={(row) => row.id}
            columns={[
              {
                key: 'from',
                header: t('admin.effective'),
                heading: true,
                cell: (row) => (
                  <>
                    <Time at={row.effective_at} />
                    {Date.parse(row.effective_at) > Date.now() && (
                      <Text size="xs" c="dimmed" component="div">
                        {t('admin.planned')}
                      </Text>
                    )}
                  </>
                ),
              },
              {
                key: 'channel',
                header: t('admin.channel'),
                cell: (row) =>
                  model.channels.find(({ channel_id }) => channel_id === row.channel_id)?.channel_name ??
                  row.channel_id,
              },
              {
                key: 'price',
                header: t('admin.price'),
                numeric: true,
                cell: (row) => <PricePair prices={row.price} />,
              },
              { key: 'cost', header: t('admin.cost'), numeric: true, cell: (row) => <PricePair prices={row.cost} /> },
              {
                key: 'by',
                header: t('admin.by'),
                wide: true,
                cell: (row) => (typeof row.created_by === 'string' ? row.created_by : (row.created_by?.name ?? '–')),
              },
            ]}
          />
        )}
      </QueryView>
      {model.channels.length > 0 && <NewPrice model={model} />}
    </Stack>
  );
}

function NewPrice({ model }: { model: AdminModel }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const first = model.channels[0];
  const [channel, setChannel] = useState(first?.channel_id ?? '');
  const current = model.channels.find(({ channel_id }) => channel_id === channel)?.price;
  const before: Prices = current && current !== 'free' ? current : {};
  const [prompt, setPrompt] = useState(String(before.prompt ?? (current === 'free' ? '0' : '')));
  const [completion, setCompletion] = useState(String(before.completion ?? (current === 'free' ? '0' : '')));
  const [from, setFrom] = useState('');
  const save = useMutation({
    mutationFn: () =>
      call('POST', '/api/app/admin/price-versions', {
        channel_id: channel,
        model: model.id,
        price: priceOf(before, prompt, completion),
        ...(from === '' ? {} : { effective_at: new Date(from).toISOString() }),
      }),
    onSuccess: () => {
      queries.invalidateQueries({ queryKey: ['admin'] });
      queries.invalidateQueries({ queryKey: ['models'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Text fw={600} mb={4}>
        {t('admin.new_price')}
      </Text>
      <Text size="sm" c="dimmed" mb="sm">
        {t('admin.new_price_text')} {t('admin.effective_hint')}
      </Text>
      <Group align="flex-end" gap="sm">
        <NativeSelect
          label={t('admin.channel')}
          value={channel}
          onChange={(event) => setChannel(event.currentTarget.value)}
          data={model.channels.map((one) => ({ value: one.channel_id, label: one.channel_name }))}
        />
        <TextInput
          w="8rem"
          label={t('models.input')}
          value={prompt}
          onChange={(event) => setPrompt(event.currentTarget.value)}
          inputMode="decimal"
          required
        />
        <TextInput
          w="8rem"
          label={t('models.output')}
          value={completion}
          onChange={(event) => setCompletion(event.currentTarget.value)}
          inputMode="decimal"
          required
        />
        <TextInput
          type="datetime-local"
          label={t('admin.effective')}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <Button type="submit" loading={save.isPending}>
          {t(from === '' ? 'admin.set_price' : 'admin.schedule_price')}
        </Button>
      </Group>
      {save.isError && <ErrorState error={save.error} />}
    </form>
  );
}
