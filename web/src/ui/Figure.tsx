import type { CSSProperties, ReactNode } from 'react';
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

/** `least`: how narrow a column may become before the next row is begun. */
export function Figures({ least, children }: { least?: string; children: ReactNode }) {
  return (
    <dl className={classes.figures} style={least ? ({ '--least': least } as CSSProperties) : undefined}>
      {children}
    </dl>
  );
}
