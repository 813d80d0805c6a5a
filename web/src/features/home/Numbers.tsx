// What the gateway does right now. Silent where its statistics are closed to visitors.

import { SimpleGrid, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { overviewQuery } from '../../api/app_queries';
import { everyModelQuery } from '../../api/queries';
import type { Model } from '../../api/types';
import { Change } from '../../ui/Change';
import { Figure, Figures } from '../../ui/Figure';
import { formatCompact, formatCount } from '../../ui/numbers';
import { Surface } from '../../ui/Surface';
import { PerMillion } from '../models/Price';
import { answers } from '../models/select';
import classes from './HomePage.module.css';

export function Numbers() {
  const { t, i18n } = useTranslation();
  const overview = useQuery(overviewQuery);
  if (!overview.data) return null;
  const { data } = overview;
  const since = new Date(overview.dataUpdatedAt).toLocaleTimeString(i18n.language);
  return (
    <section aria-label={t('home.now')}>
      <Surface>
        <Figures least="6.5rem">
          <Figure label={t('home.tokens_today')}>{formatCompact(data.tokens_today, i18n.language)}</Figure>
          <Figure label={t('home.requests_today')}>{formatCompact(data.requests_today, i18n.language)}</Figure>
          <Figure label={t('home.tokens_week')}>{formatCompact(data.tokens_week, i18n.language)}</Figure>
          <Figure label={t('home.models_offered')}>{formatCount(data.models, i18n.language)}</Figure>
          <Figure label={t('home.providers')}>{formatCount(data.providers, i18n.language)}</Figure>
        </Figures>
        <Text size="xs" c="dimmed" mt="md">
          {t(overview.isError ? 'home.old' : 'home.as_of', { since })}
        </Text>
      </Surface>
    </section>
  );
}

export function Trending() {
  const { t, i18n } = useTranslation();
  const overview = useQuery(overviewQuery);
  const models = useQuery(everyModelQuery);
  const name = (id: string) => models.data?.find((model) => model.id === id)?.name ?? id;
  const trending = overview.data?.trending.slice(0, 6) ?? [];
  const featured = (overview.data?.featured ?? []).slice(0, 6);
  if (trending.length === 0 && featured.length === 0) return null;
  return (
    <SimpleGrid cols={{ base: 1, md: trending.length > 0 && featured.length > 0 ? 2 : 1 }} spacing="lg">
      {trending.length > 0 && (
        <section>
          <Title order={2} fz="h3" mb="sm">
            {t('home.trending')}
          </Title>
          <Surface p="xs">
            {trending.map((row) => (
              <ModelRow key={row.model} id={row.model} name={name(row.model)}>
                <span>{t('home.tokens', { tokens: formatCompact(row.tokens, i18n.language) })}</span>
                <Change value={row.change} />
              </ModelRow>
            ))}
          </Surface>
        </section>
      )}
      {featured.length > 0 && (
        <section>
          <Title order={2} fz="h3" mb="sm">
            {t('home.featured')}
          </Title>
          <Surface p="xs">
            {featured.map((id) => (
              <ModelRow key={id} id={id} name={name(id)}>
                <Prices model={models.data?.find((model) => model.id === id)} />
              </ModelRow>
            ))}
          </Surface>
        </section>
      )}
    </SimpleGrid>
  );
}

/** Per million tokens, in and out. */
function Prices({ model }: { model: Model | undefined }) {
  const { t } = useTranslation();
  if (!model) return null;
  return (
    <span className={classes.dim} title={t('home.price_hint')}>
      <PerMillion perToken={model.pricing.prompt} />
      {answers(model) && (
        <>
          {' / '}
          <PerMillion perToken={model.pricing.completion} />
        </>
      )}
    </span>
  );
}

function ModelRow({ id, name, children }: { id: string; name: string; children: React.ReactNode }) {
  const [author = '', ...rest] = id.split('/');
  return (
    <Link to="/models/$author/$slug" params={{ author, slug: rest.join('/') }} className={classes.modelRow ?? ''}>
      <span className={classes.modelName}>{name}</span>
      {children}
    </Link>
  );
}
