import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** A number that matters, with what it is above and what there is to say about it below. */
export function Figure({ label, children, note }: { label: string; children: ReactNode; note?: ReactNode }) {
  return (
    <div>
      <div className={classes.figureLabel}>{label}</div>
      <div className={classes.figureValue}>{children}</div>
      {note && <div className={classes.figureLabel}>{note}</div>}
    </div>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <div className={classes.figures}>{children}</div>;
}
