import classes from './ui.module.css';

export type Tone = 'good' | 'fair' | 'bad' | 'none';

/** A coloured point before a word; the word carries the meaning. */
export function StatusDot({ tone }: { tone: Tone }) {
  return <span className={classes.dot} data-tone={tone} aria-hidden="true" />;
}
