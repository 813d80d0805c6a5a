import { Badge, Button, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { everyModelQuery, modelsQuery } from '../../api/queries';
import { CodeTabs } from '../../ui/CodeTabs';
import { Surface } from '../../ui/Surface';
import { firstRequest, LANGUAGES } from './first_request';
import classes from './HomePage.module.css';
import { Numbers, Trending } from './Numbers';

const STEPS = ['reserve', 'answer', 'settle', 'book'] as const;

export function HomePage() {
  const { t } = useTranslation();
  const models = useQuery(modelsQuery);
  const model = models.data?.[0]?.id ?? 'demo/quick';
  return (
    <Stack gap={56}>
      <div className={classes.hero}>
        <Stack gap="lg" className={classes.words ?? ''}>
          <ModelCount />
          <Title order={1} className={classes.title ?? ''}>
            {t('home.title')}
          </Title>
          <Text c="dimmed" fz="lg" lh={1.6}>
            {t('home.lead')}
          </Text>
          <Group>
            <Button size="md" renderRoot={(props) => <Link to="/playground" {...props} />}>
              {t('home.try')}
            </Button>
            <Button size="md" variant="default" renderRoot={(props) => <Link to="/models" {...props} />}>
              {t('home.browse')}
            </Button>
          </Group>
        </Stack>
        <FirstRequest model={model} />
      </div>
      <Numbers />
      <Trending />
      <section aria-labelledby="way">
        <Title order={2} id="way" mb="md">
          {t('home.way_title')}
        </Title>
        <ol className={classes.steps}>
          {STEPS.map((step, place) => (
            <li key={step} className={classes.step}>
              <span className={classes.number} aria-hidden="true">
                {place + 1}
              </span>
              <Title order={3} fz="md">
                {t(`home.way.${step}.title`)}
              </Title>
              <Text size="sm" c="dimmed" mt={4}>
                {t(`home.way.${step}.text`)}
              </Text>
            </li>
          ))}
        </ol>
      </section>
    </Stack>
  );
}

/** Says whether anything can be asked at all. Silent when that is not known. */
function ModelCount() {
  const { t } = useTranslation();
  const models = useQuery(everyModelQuery);
  if (models.isPending) return <Loader size="xs" aria-label={t('common.loading')} className={classes.count ?? ''} />;
  if (models.isError) return <span className={classes.count} />;
  const count = models.data.length;
  return (
    <Badge
      variant="light"
      color={count > 0 ? 'pine' : 'yellow'}
      size="lg"
      tt="none"
      fw={550}
      className={classes.count ?? ''}
    >
      {count > 0 ? t('home.models', { count }) : t('home.models_none')}
    </Badge>
  );
}

function FirstRequest({ model }: { model: string }) {
  const { t } = useTranslation();
  return (
    <Surface>
      <Title order={2} fz="h4">
        {t('home.first_title')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('home.first_lead')}
      </Text>
      <CodeTabs
        languages={LANGUAGES}
        code={(language) => firstRequest(language, window.location.origin, model)}
        label={t('home.first_title')}
      />
      <Text size="xs" c="dimmed" mt="sm">
        {t('home.first_hint')}
      </Text>
    </Surface>
  );
}
