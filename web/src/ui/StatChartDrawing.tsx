import '@mantine/charts/styles.css';
import { BarChart, LineChart } from '@mantine/charts';
import { chartColor } from './chart_colors';
import type { StatChartProps } from './StatChart';

/** With more points the line alone is told apart. */
const MOST_DOTS = 200;

export default function StatChartDrawing({ label, kind, at, series, format, height = 280 }: StatChartProps) {
  const keys = series.map((_, place) => `s${place}`);
  const data = at.map((moment, place) => ({
    at: moment,
    ...Object.fromEntries(series.map((one, index) => [`s${index}`, one.values[place] ?? null])),
  }));
  const common = {
    h: height,
    data,
    dataKey: 'at',
    valueFormatter: format,
    gridAxis: 'x' as const,
    gridColor: 'var(--line)',
    strokeDasharray: '0',
    tickLine: 'none' as const,
    series: keys.map((name, place) => ({ name, label: series[place]?.name ?? name, color: chartColor(place) })),
    yAxisProps: { width: 62 },
    xAxisProps: { minTickGap: 28 },
  };
  return (
    <div role="img" aria-label={label}>
      {kind === 'bars' ? (
        <BarChart {...common} type="stacked" barProps={{ isAnimationActive: false }} maxBarWidth={40} />
      ) : (
        <LineChart
          {...common}
          curveType="linear"
          // Points are what was measured; the line leads over hours in which nothing was asked.
          connectNulls
          withDots={at.length <= MOST_DOTS}
          dotProps={{ r: 2, strokeWidth: 0 }}
          strokeWidth={2}
          lineProps={{ isAnimationActive: false }}
        />
      )}
    </div>
  );
}
