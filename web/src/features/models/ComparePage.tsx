import { ActionIcon, Button, Group, Select, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { everyModelQuery } from '../../api/queries';
import type { Model } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { CloseIcon } from '../../ui/icons';
import { PageHeader } from '../../ui/PageHeader';
import { QueryView } from '../../ui/QueryView';
import { formatTokens } from '../../ui/tokens';
import { MOST_COMPARED } from './comparison';
import { ModelName } from './ModelTable';
import { ParameterComparison } from './Parameters';
import { PerMillion } from './Price';
import { answers, modalities } from './select';
import { useModalityName } from './use_modality_name';

const route = getRouteApi('/compare');

export function ComparePage() {
  const { t } = useTranslation();
  const ids = (route.useSearch().models ?? '').split(',').filter(Boolean).slice(0, MOST_COMPARED);
  const navigate = route.useNavigate();
  const models = useQuery(everyModelQuery);
  const talking = ids.filter((id) => models.data?.some((model) => model.id === id && answers(model)) ?? true);
  const set = (next: string[]) =>
    navigate({ search: next.length === 0 ? {} : { models: next.join(',') }, replace: true });
  return (
    <>
      <PageHeader title={t('models.compare_title')} lead={t('models.lead')}>
        {talking.length > 0 && (
          <Button
            variant="default"
            renderRoot={(props) => <Link to="/playground" search={{ models: talking.join(',') }} {...props} />}
          >
            {t(talking.length === 1 ? 'models.try' : 'models.try_all')}
          </Button>
        )}
      </PageHeader>
      <QueryView query={models} height={320}>
        {(all) => (
          <>
            <Group mb="md">
              {ids.length < MOST_COMPARED && (
                <Select
                  aria-label={t('models.add')}
                  placeholder={t('models.add')}
                  value={null}
                  onChange={(id) => id && set([...ids, id])}
                  data={all.filter(({ id }) => !ids.includes(id)).map(({ id, name }) => ({ value: id, label: name }))}
                  searchable
                  limit={50}
                />
              )}
            </Group>
            {ids.length === 0 ? (
              <EmptyState title={t('models.compare_none_title')} text={t('models.compare_none')} />
            ) : (
              <Comparison
                models={ids.flatMap((id) => all.find((model) => model.id === id) ?? [])}
                onRemove={(id) => set(ids.filter((one) => one !== id))}
              />
            )}
          </>
        )}
      </QueryView>
    </>
  );
}

function Comparison({ models, onRemove }: { models: Model[]; onRemove: (id: string) => void }) {
  const { t, i18n } = useTranslation();
  const modalityName = useModalityName();
  const tokens = (count: number | null | undefined) => (count ? formatTokens(count, i18n.language) : '–');
  const rows: { name: string; of: (model: Model) => React.ReactNode }[] = [
    { name: t('models.input'), of: (model) => <PerMillion perToken={model.pricing.prompt} /> },
    {
      name: t('models.output'),
      of: (model) => <PerMillion perToken={answers(model) ? model.pricing.completion : null} />,
    },
    { name: t('models.cache_read'), of: (model) => <PerMillion perToken={model.pricing.input_cache_read} /> },
    { name: t('models.context_title'), of: (model) => tokens(model.context_length) },
    { name: t('models.output_title'), of: (model) => tokens(model.top_provider?.max_completion_tokens) },
    { name: t('models.modalities'), of: (model) => modalities(model).map(modalityName).join(', ') || '–' },
  ];
  return (
    <Stack gap="xl">
      {/* The heads of the columns, where the table has become a list of cards. */}
      <Group gap="xs" hiddenFrom="sm">
        {models.map((model) => (
          <Button
            key={model.id}
            size="compact-md"
            variant="default"
            fw={500}
            rightSection={<CloseIcon />}
            onClick={() => onRemove(model.id)}
            aria-label={`${t('models.take_away')}: ${model.name}`}
          >
            {model.name}
          </Button>
        ))}
      </Group>
      <DataTable
        label={t('models.compare_title')}
        rows={rows}
        rowKey={(row) => row.name}
        even
        columns={[
          { key: 'what', header: '', heading: true, cell: (row) => row.name },
          ...models.map((model) => ({
            key: model.id,
            header: model.name,
            head: (
              <Group gap={4} fz="sm" c="bright">
                <ModelName model={model} />
                <ActionIcon
                  visibleFrom="sm"
                  size="sm"
                  variant="subtle"
                  color="gray"
                  onClick={() => onRemove(model.id)}
                  aria-label={`${t('models.take_away')}: ${model.name}`}
                >
                  <CloseIcon />
                </ActionIcon>
              </Group>
            ),
            cell: (row: (typeof rows)[number]) => row.of(model),
          })),
        ]}
      />
      {/* One that embeds takes none of what the others take, and would make a difference of everything. */}
      <ParameterComparison models={models.filter(answers)} />
    </Stack>
  );
}
