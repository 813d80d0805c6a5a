import { Group, SegmentedControl, Stack, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { activityQuery } from '../../api/app_queries';
import type { Activity } from '../../api/app_types';
import { MEASURES, RANGES } from '../../app/search';
import { compare, formatUsd, sum } from '../../money/decimal';
import { buckets } from '../../ui/days';
import { Figure, Figures } from '../../ui/Figure';
import { forDrawing, formatCompact, formatCount, formatMoment } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { StatChart } from '../../ui/StatChart';
import { Surface } from '../../ui/Surface';
import { LargeUsd } from '../../ui/Usd';
import { useLiveInterval } from '../live/store';

const route = getRouteApi('/activity');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How many hours, or days, the running one included. */
const LENGTHS = { '1d': 24, '7d': 7, '30d': 30 } as const;
type Range = (typeof RANGES)[number];
type Measure = (typeof MEASURES)[number];
/** More would not be told apart. */
const MOST_SERIES = 8;

/** The sums over a while, by model. */
export function Totals({ account }: { account: string }) {
  const { t } = useTranslation();
  const { range = '7d', show: measure = 'spend' } = route.useSearch();
  const navigate = route.useNavigate();
  const set = (change: { range?: Range; show?: Measure }) =>
    navigate({ search: (before) => ({ ...before, ...change }), replace: true, resetScroll: false });
  const interval = range === '1d' ? 'hour' : 'day';
  // From the beginning of an hour or a day, so that the question stays the same while the page is open.
  const from = useMemo(() => {
    const length = interval === 'hour' ? HOUR_MS : DAY_MS;
    return new Date((Math.floor(Date.now() / length) - LENGTHS[range] + 1) * length).toISOString();
  }, [range, interval]);
  const activity = useQuery({
    ...activityQuery(account, { from, group_by: 'model', interval }),
    refetchInterval: useLiveInterval(),
  });
  return (
    <Surface>
      <Group justify="space-between" mb="md" gap="sm">
        <Title order={2} fz="h4">
          {t('activity.sums')}
        </Title>
        <SegmentedControl
          size="xs"
          value={range}
          onChange={(value) => set({ range: value as Range })}
          aria-label={t('activity.range')}
          data={RANGES.map((value) => ({ value, label: t(`range.${value}`) }))}
        />
      </Group>
      <QueryView query={activity} height={420}>
        {(data) => (
          <Stack gap="lg">
            <Sums totals={data.totals} />
            {data.series.length > 0 && data.totals.requests > 0 && (
              <>
                <SegmentedControl
                  size="xs"
                  w="fit-content"
                  mt="xs"
                  value={measure}
                  onChange={(value) => set({ show: value as Measure })}
                  aria-label={t('activity.measure')}
                  data={MEASURES.map((value) => ({ value, label: t(`activity.${value}`) }))}
                />
                <Drawing data={data} measure={measure} interval={interval} from={from} />
              </>
            )}
          </Stack>
        )}
      </QueryView>
    </Surface>
  );
}

function Sums({ totals }: { totals: Activity['totals'] }) {
  const { t, i18n } = useTranslation();
  return (
    <Figures>
      <Figure label={t('activity.spend')}>
        <LargeUsd amount={totals.spend} />
      </Figure>
      <Figure label={t('activity.requests')}>{formatCount(totals.requests, i18n.language)}</Figure>
      <Figure label={t('activity.tokens')}>{formatCompact(totals.tokens, i18n.language)}</Figure>
      <Figure label={t('activity.errors')}>{formatCount(totals.errors, i18n.language)}</Figure>
    </Figures>
  );
}

interface DrawingProps {
  data: Activity;
  measure: Measure;
  interval: 'hour' | 'day';
  from: string;
}

function Drawing({ data, measure, interval, from }: DrawingProps) {
  const { t, i18n } = useTranslation();
  const { drawn, others } = mostOf(data.groups, measure);
  // The gateway leaves out the times without usage.
  const points = new Map(data.series.map((point) => [Date.parse(point.at), point]));
  const moments = buckets(Date.parse(from), Date.now(), interval);
  const values = (groups: Activity['groups']) =>
    moments.map((at) => {
      const there = points.get(Date.parse(at))?.values;
      return forDrawing(sum(groups.map((group) => there?.[group.key]?.[measure] ?? 0))) ?? 0;
    });
  const series = drawn.map((group) => ({ name: group.label, values: values([group]) }));
  if (others.length > 0) series.push({ name: t('rankings.others'), values: values(others) });
  return (
    <StatChart
      label={t(`activity.${measure}`)}
      kind="bars"
      height={260}
      at={moments.map((at) => formatMoment(at, interval, i18n.language))}
      series={series}
      format={(value) =>
        measure === 'spend' ? (formatUsd(plain(value), i18n.language) ?? '') : formatCompact(value, i18n.language)
      }
    />
  );
}

/** The groups with most of what is shown, and all the rest. */
export function mostOf(groups: Activity['groups'], measure: Measure) {
  const ranked = [...groups].sort((a, b) => compare(b[measure], a[measure]));
  return { drawn: ranked.slice(0, MOST_SERIES), others: ranked.slice(MOST_SERIES) };
}

/** A drawn number back into digits, for axis labels. */
function plain(value: number): string {
  return value.toFixed(9).replace(/0+$/, '').replace(/\.$/, '');
}
