import classes from './ui.module.css';

/** A short series stands at the right of a month, instead of filling it. */
const LEAST_SLOTS = 30;

/** The shape of a series, for the eye only; say its numbers in `label`. */
export function Sparkline({
  values,
  label,
  width = 96,
  height = 28,
}: {
  values: readonly number[];
  label: string;
  width?: number;
  height?: number;
}) {
  const most = Math.max(...values, 0);
  const slots = Math.max(values.length, LEAST_SLOTS);
  const step = width / slots;
  const first = slots - values.length;
  return (
    <svg
      className={classes.spark}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={label}
    >
      {values.map((value, place) => {
        const tall = most === 0 ? 1 : Math.max(1, (value / most) * (height - 2));
        // Places never move: a series is as long as it is.
        const key = `${place}`;
        return (
          <rect
            key={key}
            x={(first + place) * step + step * 0.12}
            y={height - tall}
            width={step * 0.76}
            height={tall}
            rx={Math.min(1.5, step * 0.3)}
            fill="currentColor"
            opacity={value === 0 ? 0.25 : 0.85}
          />
        );
      })}
    </svg>
  );
}
