import { Button, Skeleton } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { chartColor } from './chart_colors';
import { DataTable } from './DataTable';
import classes from './ui.module.css';

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
  const [asTable, setAsTable] = useState(false);
  const { label, height = 280, series } = props;
  return (
    <figure aria-label={label} className={classes.chart}>
      {asTable ? (
        <Numbers {...props} />
      ) : (
        <Suspense fallback={<Skeleton height={height} aria-busy="true" />}>
          <Drawing {...props} />
        </Suspense>
      )}
      <div className={classes.chartFoot}>
        <ul className={classes.legend}>
          {series.length > 1 &&
            !asTable &&
            series.map((one, place) => (
              <li key={one.name}>
                <span style={{ background: chartColor(place) }} />
                {one.name}
              </li>
            ))}
        </ul>
        <Button
          variant="subtle"
          color="gray"
          size="compact-xs"
          fw={500}
          aria-label={t('chart.view', { label })}
          onClick={() => setAsTable(!asTable)}
        >
          {t(asTable ? 'chart.drawing' : 'chart.table')}
        </Button>
      </div>
    </figure>
  );
}

function Numbers({ label, at, series, format }: StatChartProps) {
  const { t } = useTranslation();
  const rows = at.map((moment, place) => ({ moment, place }));
  return (
    <DataTable
      label={label}
      rows={rows}
      rowKey={({ place }) => String(place)}
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
  );
}
