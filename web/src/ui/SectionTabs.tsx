import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import classes from './tabs.module.css';

/** Pages within a page, each with an address of its own. */
export function SectionTabs({
  label,
  sections,
}: {
  label: string;
  sections: readonly { to: string; label: string; active: boolean }[];
}) {
  const nav = useRef<HTMLElement>(null);
  const active = sections.find((section) => section.active)?.to;
  // On a phone the tabs are wider than the screen. Only the row of tabs moves, never the page.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tab is open
  useEffect(() => {
    const tab = nav.current?.querySelector<HTMLElement>('[data-active]');
    if (!tab || !nav.current) return;
    nav.current.scrollLeft = tab.offsetLeft - nav.current.offsetLeft - (nav.current.clientWidth - tab.offsetWidth) / 2;
  }, [active]);
  return (
    <nav ref={nav} aria-label={label} className={classes.tabs}>
      {sections.map((section) => (
        <Link
          key={section.to}
          to={section.to}
          className={classes.tab ?? ''}
          {...(section.active ? { 'data-active': true, 'aria-current': 'page' as const } : {})}
        >
          {section.label}
        </Link>
      ))}
    </nav>
  );
}
