import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** The controls a list is narrowed by; one marked `data-long` takes what room there is. */
export function Filters({ children }: { children: ReactNode }) {
  return <div className={classes.filters}>{children}</div>;
}
