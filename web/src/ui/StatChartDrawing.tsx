import '@mantine/charts/styles.css';
import { BarChart, LineChart } from '@mantine/charts';
import type { StatChartProps } from './StatChart';
import classes from './ui.module.css';

/** Apart from each other in both themes, and for most who see colours differently; the last is “the rest”. */
const COLORS = [
  'teal.6',
  'indigo.5',
  'orange.5',
  'cyan.6',
  'pink.5',
  'lime.6',
  'violet.5',
  'yellow.6',
  'blue.6',
  'gray.5',
];

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
    tickLine: 'none' as const,
    series: keys.map((name, place) => ({ name, label: series[place]?.name ?? name, color: color(place) })),
    yAxisProps: { width: 62 },
    xAxisProps: { minTickGap: 24 },
  };
  return (
    <>
      <div role="img" aria-label={label}>
        {kind === 'bars' ? (
          <BarChart {...common} type="stacked" barProps={{ isAnimationActive: false }} maxBarWidth={44} />
        ) : (
          <LineChart
            {...common}
            curveType="monotone"
            withDots={at.length < 2}
            strokeWidth={2}
            lineProps={{ isAnimationActive: false }}
          />
        )}
      </div>
      {series.length > 1 && (
        <ul className={classes.legend}>
          {series.map((one, place) => (
            <li key={one.name}>
              <span style={{ background: `var(--mantine-color-${color(place).replace('.', '-')})` }} />
              {one.name}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function color(place: number): string {
  return COLORS[Math.min(place, COLORS.length - 1)] ?? 'gray.5';
}
