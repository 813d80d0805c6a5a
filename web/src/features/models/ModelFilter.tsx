import { Button, Checkbox, CloseButton, Group, NativeSelect, SegmentedControl, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { providersQuery } from '../../api/queries';
import type { Model } from '../../api/types';
import { CONTEXTS, MODEL_ORDERS, type ModelsSearch, PRICE_CAPS } from '../../app/search';
import { Filters } from '../../ui/Filters';
import { SearchIcon } from '../../ui/icons';
import { formatTokens } from '../../ui/tokens';
import { useAddressText } from '../../ui/use_address_text';
import { authorOf, choices, modalities } from './select';
import { useModalityName } from './use_modality_name';

const route = getRouteApi('/models');

/** What to look for. All of it stands in the address, so that a search can be kept and shared. */
export function ModelFilter({ models }: { models: readonly Model[] }) {
  const { t, i18n } = useTranslation();
  const modalityName = useModalityName();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: Partial<Record<keyof ModelsSearch, string | boolean | undefined>>) =>
    navigate({ search: (before) => ({ ...before, ...change }) as ModelsSearch, replace: true, resetScroll: false });
  const words = useAddressText(search.q ?? '', (q) => set({ q: q || undefined }));
  const pick = (name: keyof ModelsSearch, label: string, options: { value: string; label: string }[]) =>
    options.length > 1 && (
      <NativeSelect
        size="xs"
        aria-label={label}
        value={String(search[name] ?? '')}
        onChange={(event) => set({ [name]: event.currentTarget.value || undefined })}
        data={[{ value: '', label }, ...options]}
      />
    );
  const providers = useQuery(providersQuery).data ?? [];
  const same = (values: string[]) => values.map((value) => ({ value, label: value }));
  const { sort: _, view: __, ...filters } = search;
  return (
    <>
      <Group mb="sm" gap="sm">
        <TextInput
          flex="1 1 16rem"
          {...words.field}
          placeholder={t('models.search')}
          aria-label={t('models.search')}
          leftSection={<SearchIcon />}
          rightSection={
            words.field.value !== '' && <CloseButton size="sm" aria-label={t('models.clear')} onClick={words.clear} />
          }
        />
        <NativeSelect
          value={search.sort ?? 'name'}
          onChange={(event) =>
            set({ sort: event.currentTarget.value === 'name' ? undefined : event.currentTarget.value })
          }
          data={MODEL_ORDERS.map((order) => ({ value: order as string, label: t(`models.sort_${order}`) }))}
          aria-label={t('models.sort')}
        />
        <SegmentedControl
          value={search.view ?? 'cards'}
          onChange={(view) => set({ view: view === 'table' ? 'table' : undefined })}
          aria-label={t('models.view')}
          data={[
            { value: 'cards', label: t('models.cards') },
            { value: 'table', label: t('models.table') },
          ]}
        />
      </Group>
      <Filters>
        {pick('author', t('models.any_author'), same(choices(models, (model) => [authorOf(model)])))}
        {pick(
          'provider',
          t('models.any_provider'),
          providers.map(({ slug, name }) => ({ value: slug, label: name })),
        )}
        {pick(
          'modality',
          t('models.any_modality'),
          choices(models, modalities).map((value) => ({ value, label: modalityName(value) })),
        )}
        {pick(
          'context',
          t('models.any_context'),
          CONTEXTS.map((value) => ({
            value,
            label: t('models.at_least', { tokens: formatTokens(Number(value), i18n.language) }),
          })),
        )}
        {pick(
          'price',
          t('models.any_price'),
          PRICE_CAPS.map((value) => ({ value, label: t('models.at_most', { price: `$${value}` }) })),
        )}
        {pick(
          'parameter',
          t('models.any_parameter'),
          same(choices(models, (model) => model.supported_parameters ?? [])),
        )}
        <Checkbox
          size="xs"
          label={t('models.free_only')}
          checked={search.free ?? false}
          onChange={(event) => set({ free: event.currentTarget.checked || undefined })}
        />
        {Object.keys(filters).length > 0 && (
          <Button
            size="compact-xs"
            variant="subtle"
            onClick={() => {
              words.drop();
              navigate({
                search: ({ sort, view }) => ({ ...(sort ? { sort } : {}), ...(view ? { view } : {}) }),
                replace: true,
                resetScroll: false,
              });
            }}
          >
            {t('models.clear')}
          </Button>
        )}
      </Filters>
    </>
  );
}
