import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** A number that matters, with what it is above and what there is to say about it below. */
export function Figure({ label, children, note }: { label: string; children: ReactNode; note?: ReactNode }) {
  return (
    <div>
      <dt className={classes.figureLabel}>{label}</dt>
      <dd className={classes.figureValue}>{children}</dd>
      {note && <dd className={classes.figureNote}>{note}</dd>}
    </div>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <dl className={classes.figures}>{children}</dl>;
}
