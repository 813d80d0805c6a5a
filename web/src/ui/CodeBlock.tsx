import { CopyButton } from './CopyButton';
import classes from './ui.module.css';

/** Program text, dark in both themes, to be copied. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <div className={classes.code}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled with the keyboard */}
      <section tabIndex={0} aria-label={label} className={classes.scroll}>
        <pre>
          <code>{code}</code>
        </pre>
      </section>
      <div className={classes.copy}>
        <CopyButton value={code} className={classes.copyButton} />
      </div>
    </div>
  );
}
