import { Link } from '@tanstack/react-router';
import { type RefObject, useEffect, useRef, useState } from 'react';
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
  const more = useMore(nav);
  return (
    <nav
      ref={nav}
      aria-label={label}
      className={classes.tabs}
      data-before={more.before || undefined}
      data-after={more.after || undefined}
    >
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

/** Whether a row goes on beyond its edges, where it then fades out. */
function useMore(row: RefObject<HTMLElement | null>): { before: boolean; after: boolean } {
  const [more, setMore] = useState({ before: false, after: false });
  useEffect(() => {
    const element = row.current;
    if (!element) return;
    const measure = () => {
      // Zoomed, a row at its end is off by a part of a pixel.
      const before = element.scrollLeft > 1;
      const after = element.scrollWidth - element.clientWidth - element.scrollLeft > 1;
      setMore((known) => (known.before === before && known.after === after ? known : { before, after }));
    };
    measure();
    const sizes = new ResizeObserver(measure);
    sizes.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, [row]);
  return more;
}
