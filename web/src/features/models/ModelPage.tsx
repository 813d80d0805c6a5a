import { Badge, Button, Code, Group, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { modelAppsQuery, usageSeriesQuery } from '../../api/app_queries';
import { everyModelQuery } from '../../api/queries';
import type { Model } from '../../api/types';
import { RANGES } from '../../app/search';
import { CopyButton } from '../../ui/CopyButton';
import { DataTable } from '../../ui/DataTable';
import { EmptyState } from '../../ui/EmptyState';
import { ExternalText } from '../../ui/ExternalText';
import { Fact, Facts } from '../../ui/Facts';
import { formatCompact, formatMoment } from '../../ui/numbers';
import { PageHeader } from '../../ui/PageHeader';
import { QueryView } from '../../ui/QueryView';
import { StatChart } from '../../ui/StatChart';
import { Surface } from '../../ui/Surface';
import { Tags } from '../../ui/Tags';
import { formatTokens } from '../../ui/tokens';
import { EndpointCharts } from './EndpointCharts';
import { Endpoints } from './Endpoints';
import classes from './models.module.css';
import { PerMillion } from './Price';
import { Sample } from './Sample';
import { answers, modalities } from './select';
import { byDay } from './usage';
import { useModalityName } from './use_modality_name';

const route = getRouteApi('/models/$author/$slug');

export function ModelPage() {
  const { t } = useTranslation();
  const { author, slug } = route.useParams();
  const id = `${author}/${slug}`;
  const models = useQuery(everyModelQuery);
  return (
    <QueryView query={models} height={480}>
      {(all) => {
        const model = all.find((one) => one.id === id);
        return model ? (
          <About model={model} />
        ) : (
          <EmptyState title={t('model.gone_title')} text={t('model.gone', { id })}>
            <Button variant="default" renderRoot={(props) => <Link to="/models" {...props} />}>
              {t('home.browse')}
            </Button>
          </EmptyState>
        );
      }}
    </QueryView>
  );
}

function About({ model }: { model: Model }) {
  const { t } = useTranslation();
  const modalityName = useModalityName();
  const { range = '7d' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <>
      <PageHeader title={model.name}>
        <Button
          variant="default"
          renderRoot={(props) => <Link to="/compare" search={{ models: model.id }} {...props} />}
        >
          {t('models.compare')}
        </Button>
        {answers(model) && (
          <Button renderRoot={(props) => <Link to="/playground" search={{ models: model.id }} {...props} />}>
            {t('models.try')}
          </Button>
        )}
      </PageHeader>
      <Group gap={4} mb="sm">
        <Code>{model.id}</Code>
        <CopyButton value={model.id} label={t('models.copy_id')} />
        {modalities(model).map((one) => (
          <Badge key={one} variant="default" tt="none" fw={500}>
            {modalityName(one)}
          </Badge>
        ))}
      </Group>
      {model.description && (
        <Text mb="lg" maw="46rem" lh={1.65}>
          {model.description}
        </Text>
      )}
      {!answers(model) && (
        <Text mb="lg" maw="46rem" lh={1.65} c="dimmed">
          {t('model.embeds')}
        </Text>
      )}
      <Stack gap="xl">
        <div className={classes.two}>
          <Stack gap="xl">
            <Endpoints model={model} />
            <Parameters words={model.supported_parameters ?? []} />
          </Stack>
          <Prices model={model} />
        </div>
        <section>
          <Group justify="space-between" mb="sm">
            <Title order={2} fz="h4">
              {t('model.over_time')}
            </Title>
            <SegmentedControl
              size="xs"
              value={range}
              onChange={(value) =>
                navigate({ search: { range: value as (typeof RANGES)[number] }, replace: true, resetScroll: false })
              }
              aria-label={t('activity.range')}
              data={RANGES.map((value) => ({ value, label: t(`range.${value}`) }))}
            />
          </Group>
          <div className={classes.even}>
            <EndpointCharts model={model} range={range} />
            <Usage id={model.id} range={range} />
          </div>
        </section>
        <Sample model={model} />
        <Apps id={model.id} />
      </Stack>
    </>
  );
}

function Prices({ model }: { model: Model }) {
  const { t, i18n } = useTranslation();
  const { pricing } = model;
  const rows = [
    [t('models.input'), pricing.prompt],
    [t('models.output'), answers(model) ? pricing.completion : undefined],
    [t('models.cache_read'), pricing.input_cache_read],
    [t('models.cache_write'), pricing.input_cache_write],
    [t('price.reasoning'), pricing.internal_reasoning],
  ] as const;
  return (
    <Surface>
      <Title order={2} fz="h4" mb="xs">
        {t('model.prices')}
      </Title>
      <Facts>
        {rows.map(
          ([label, price]) =>
            price !== undefined && (
              <Fact key={label} label={label}>
                <PerMillion perToken={price} />
              </Fact>
            ),
        )}
        <Fact label={t('models.context_title')}>
          {model.context_length === null ? '–' : formatTokens(model.context_length, i18n.language)}
        </Fact>
        {!!model.top_provider?.max_completion_tokens && (
          <Fact label={t('models.output_title')}>
            {formatTokens(model.top_provider.max_completion_tokens, i18n.language)}
          </Fact>
        )}
      </Facts>
      <Text size="xs" c="dimmed" mt="sm">
        {t('models.lead')}
      </Text>
    </Surface>
  );
}

/** What a request may ask of it. */
function Parameters({ words }: { words: readonly string[] }) {
  const { t } = useTranslation();
  if (words.length === 0) return null;
  return (
    <section>
      <Title order={2} fz="h4" mb="sm">
        {t('models.parameters')}
      </Title>
      <Tags words={words} />
    </section>
  );
}

function Usage({ id, range }: { id: string; range: string }) {
  const { t, i18n } = useTranslation();
  const usage = useQuery(usageSeriesQuery(id, 'tokens', range));
  return (
    <Surface>
      <Title order={3} fz="md" mb="xs">
        {t('model.usage')}
      </Title>
      <QueryView
        query={usage}
        height={300}
        isEmpty={(data) => data.points.every((point) => !point.value)}
        empty={<Text c="dimmed">{t('rankings.no_traffic')}</Text>}
      >
        {(data) => {
          // Bars by the hour are too thin to be seen in a week.
          const { interval, points } = range === '7d' ? byDay(data, 7) : data;
          return (
            <StatChart
              label={t('model.usage')}
              kind="bars"
              height={240}
              at={points.map((point) => formatMoment(point.at, interval, i18n.language))}
              series={[{ name: t('activity.tokens'), values: points.map((point) => point.value ?? null) }]}
              format={(value) => formatCompact(value, i18n.language)}
            />
          );
        }}
      </QueryView>
    </Surface>
  );
}

function Apps({ id }: { id: string }) {
  const { t, i18n } = useTranslation();
  const apps = useQuery(modelAppsQuery(id));
  return (
    <section>
      <Title order={2} fz="h4" mb="sm">
        {t('rankings.apps')}
      </Title>
      <QueryView query={apps} height={120} empty={<Text c="dimmed">{t('rankings.no_apps')}</Text>}>
        {(rows) => (
          <DataTable
            label={t('rankings.apps')}
            rows={rows}
            rowKey={(row) => `${row.rank}`}
            columns={[
              { key: 'rank', header: '#', narrow: true, cell: (row) => row.rank },
              {
                key: 'app',
                header: t('activity.app'),
                heading: true,
                cell: (row) => <ExternalText name={row.app.name ?? row.app.url ?? '–'} url={row.app.url} />,
              },
              {
                key: 'tokens',
                header: t('activity.tokens'),
                numeric: true,
                cell: (row) => formatCompact(row.tokens, i18n.language),
              },
            ]}
          />
        )}
      </QueryView>
    </section>
  );
}
