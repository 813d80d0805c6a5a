import { Link } from '@tanstack/react-router';
import classes from './tabs.module.css';

/** On a phone the tabs are wider than the screen. */
function intoView(tab: HTMLAnchorElement | null): void {
  tab?.scrollIntoView({ inline: 'center', block: 'nearest' });
}

/** Pages within a page, each with an address of its own. */
export function SectionTabs({
  label,
  sections,
}: {
  label: string;
  sections: readonly { to: string; label: string; active: boolean }[];
}) {
  return (
    <nav aria-label={label} className={classes.tabs}>
      {sections.map((section) => (
        <Link
          key={section.to}
          to={section.to}
          className={classes.tab ?? ''}
          ref={section.active ? intoView : null}
          {...(section.active ? { 'data-active': true, 'aria-current': 'page' as const } : {})}
        >
          {section.label}
        </Link>
      ))}
    </nav>
  );
}
