import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** Names and values under each other. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className={classes.rows}>{children}</dl>;
}

export function Fact({
  label,
  sub,
  total,
  children,
}: {
  label: string;
  sub?: boolean;
  total?: boolean;
  children: ReactNode;
}) {
  return (
    <div className={classes.row} data-sub={sub} data-total={total}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
