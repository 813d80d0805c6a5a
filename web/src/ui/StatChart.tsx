import { SegmentedControl, Skeleton } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { DataTable } from './DataTable';

export interface ChartSeries {
  name: string;
  /** What is drawn. Amounts are turned into numbers for the drawing only. */
  values: readonly (number | null)[];
}

export interface StatChartProps {
  label: string;
  kind: 'bars' | 'lines';
  /** The moments of the points, ready to be read. */
  at: readonly string[];
  series: readonly ChartSeries[];
  format: (value: number) => string;
  height?: number;
}

const Drawing = lazy(() => import('./StatChartDrawing'));

/** A chart, or the same numbers as a table. The drawing library is fetched when a chart is shown. */
export function StatChart(props: StatChartProps) {
  const { t } = useTranslation();
  const [view, setView] = useState('chart');
  const { label, at, series, format, height = 280 } = props;
  const rows = at.map((moment, place) => ({ moment, place }));
  return (
    <figure aria-label={label} style={{ margin: 0 }}>
      <SegmentedControl
        size="xs"
        mb="xs"
        ml="auto"
        display="flex"
        w="fit-content"
        value={view}
        onChange={setView}
        aria-label={t('chart.view', { label })}
        data={[
          { value: 'chart', label: t('chart.drawing') },
          { value: 'table', label: t('chart.table') },
        ]}
      />
      {view === 'chart' ? (
        <Suspense fallback={<Skeleton height={height} />}>
          <Drawing {...props} />
        </Suspense>
      ) : (
        <DataTable
          label={label}
          rows={rows}
          rowKey={({ moment }) => moment}
          columns={[
            { key: 'at', header: t('chart.time'), cell: ({ moment }) => moment, heading: true },
            ...series.map((one) => ({
              key: one.name,
              header: one.name,
              numeric: true,
              cell: ({ place }: { place: number }) => {
                const value = one.values[place];
                return value === null || value === undefined ? '–' : format(value);
              },
            })),
          ]}
        />
      )}
    </figure>
  );
}
