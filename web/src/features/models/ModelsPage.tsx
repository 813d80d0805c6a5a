import { Button, SimpleGrid, Skeleton, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { everyModelQuery, modelsOfProviderQuery } from '../../api/queries';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { useFailure } from '../../ui/FailureScope';
import { PageHeader } from '../../ui/PageHeader';
import { MOST_COMPARED, useComparison } from './comparison';
import { ModelCard } from './ModelCard';
import { ModelFilter } from './ModelFilter';
import { ModelTable } from './ModelTable';
import classes from './models.module.css';
import { selectModels } from './select';

/** Cards drawn at once; more on request. */
const PAGE = 60;

const route = getRouteApi('/models');

export function ModelsPage() {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const every = useQuery(everyModelQuery);
  const models = useQuery(search.provider ? modelsOfProviderQuery(search.provider) : everyModelQuery);
  const told = useFailure(models);
  const [shown, setShown] = useState(PAGE);
  const selected = selectModels(models.data ?? [], search);
  const List = search.view === 'table' ? Table : Cards;

  return (
    <>
      <PageHeader title={t('models.title')} lead={t('models.lead')} />
      <ModelFilter models={every.data ?? []} />
      {models.isPending && <CardSkeletons />}
      {models.isError && !told && <ErrorState error={models.error} onRetry={() => models.refetch()} />}
      {every.isSuccess && every.data.length === 0 && (
        <EmptyState title={t('models.empty_title')} text={t('models.empty')} />
      )}
      {models.isSuccess && selected.length === 0 && every.data?.length !== 0 && (
        <EmptyState title={t('models.no_match_title')} text={t('models.no_match')}>
          <Button variant="default" onClick={() => navigate({ search: {}, replace: true })}>
            {t('models.clear')}
          </Button>
        </EmptyState>
      )}
      {selected.length > 0 && (
        <Stack gap="md">
          <Text size="sm" c="dimmed" aria-live="polite">
            {t('models.count', { count: selected.length })}
          </Text>
          <List models={selected.slice(0, shown)} />
          {selected.length > shown && (
            <Button variant="default" onClick={() => setShown(shown + PAGE)} mx="auto">
              {t('models.more')}
            </Button>
          )}
        </Stack>
      )}
      <CompareBar />
    </>
  );
}

type Models = Parameters<typeof ModelTable>[0]['models'];

function Table({ models }: { models: Models }) {
  return <ModelTable models={models} />;
}

function Cards({ models }: { models: Models }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }} spacing="md">
      {models.map((model) => (
        <ModelCard key={model.id} model={model} />
      ))}
    </SimpleGrid>
  );
}

/** Appears with the first model chosen for comparison. */
function CompareBar() {
  const { t } = useTranslation();
  const { ids, clear } = useComparison();
  if (ids.length === 0) return null;
  return (
    <div className={classes.compareBar} role="status">
      <Text size="sm">{t('models.chosen', { count: ids.length, most: MOST_COMPARED })}</Text>
      <Button size="xs" variant="default" onClick={clear}>
        {t('models.choose_none')}
      </Button>
      <Button size="xs" renderRoot={(props) => <Link to="/compare" search={{ models: ids.join(',') }} {...props} />}>
        {t('models.compare')}
      </Button>
    </div>
  );
}

function CardSkeletons() {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }} spacing="md" aria-busy="true" aria-label={t('common.loading')}>
      {['a', 'b', 'c', 'd', 'e', 'f'].map((place) => (
        <Skeleton key={place} height={210} radius="lg" />
      ))}
    </SimpleGrid>
  );
}
