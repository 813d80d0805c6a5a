import { Button, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { adminQuery } from '../../api/app_queries';
import type { AdminModel, Channel, Prices, PriceVersion } from '../../api/app_types';
import { type DecimalText, formatUsd } from '../../money/decimal';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { embeddingModels } from './channel_models';
import { NewPrice } from './NewPrice';

const modelsQuery = adminQuery<AdminModel[]>('models');
/** They know what a model gives. */
const channelsQuery = adminQuery<Channel[]>('channels');

interface Offer {
  model: AdminModel;
  channel: AdminModel['channels'][number];
}

/** Every model on every channel, with its price now; a click shows all prices it ever had. */
export function ModelsSection() {
  const { t } = useTranslation();
  const models = useQuery(modelsQuery);
  const channels = useQuery(channelsQuery);
  const [search, setSearch] = useState('');
  const [openedId, setOpenedId] = useState<string | null>(null);
  // As the answer has it now: a price that was just set is the one to begin with.
  const opened = models.data?.find(({ id }) => id === openedId);
  const embedding = embeddingModels(channels.data ?? []);
  return (
    <Stack gap="md">
      <TextInput
        maw="24rem"
        aria-label={t('models.search')}
        placeholder={t('models.search')}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      <QueryView query={channels} height={320}>
        {() => (
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
                    cell: ({ model, channel }) => <PricePair prices={channel.price} embeds={embedding.has(model.id)} />,
                  },
                  {
                    key: 'cost',
                    header: t('admin.cost'),
                    numeric: true,
                    wide: true,
                    cell: ({ model, channel }) => <PricePair prices={channel.cost} embeds={embedding.has(model.id)} />,
                  },
                  {
                    key: 'versions',
                    header: '',
                    cell: ({ model }) => (
                      <Button
                        size="compact-sm"
                        variant="default"
                        onClick={() => setOpenedId(model.id)}
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
        )}
      </QueryView>
      <Modal
        opened={opened !== undefined}
        onClose={() => setOpenedId(null)}
        size="xl"
        title={openedId}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {opened && <Versions model={opened} embeds={embedding.has(opened.id)} />}
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

/** In and out; of a model that embeds, in alone. */
function PricePair({ prices, embeds }: { prices: Prices | 'free' | null | undefined; embeds: boolean }) {
  const { t, i18n } = useTranslation();
  if (prices === 'free') return <span>{t('common.free')}</span>;
  if (!prices) return <span>–</span>;
  const usd = (amount: DecimalText | undefined) =>
    amount === undefined ? '–' : (formatUsd(amount, i18n.language) ?? '–');
  return (
    <span>
      {usd(prices.prompt)}
      {!embeds && ` / ${usd(prices.completion)}`}
    </span>
  );
}

function Versions({ model, embeds }: { model: AdminModel; embeds: boolean }) {
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
                cell: (row) => <PricePair prices={row.price} embeds={embeds} />,
              },
              {
                key: 'cost',
                header: t('admin.cost'),
                numeric: true,
                cell: (row) => <PricePair prices={row.cost} embeds={embeds} />,
              },
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
      {model.channels.length > 0 && <NewPrice model={model} embeds={embeds} />}
    </Stack>
  );
}
