// Which pages there are, and who sees them in the navigation. What a role may do is decided by the server; this only
// spares people links that lead to a refusal.

import type { Viewer } from '../features/session/store';
import { KEY_MAKERS, MONEY_READERS } from '../features/session/store';

export interface NavItem {
  to: string;
  key:
    | 'nav.home'
    | 'nav.models'
    | 'nav.rankings'
    | 'nav.playground'
    | 'nav.activity'
    | 'nav.credits'
    | 'nav.keys'
    | 'nav.settings'
    | 'nav.finance'
    | 'nav.admin';
}

export interface NavGroup {
  key: 'nav.explore' | 'nav.account' | 'nav.operations';
  items: NavItem[];
}

export function navigationFor(viewer: Viewer | null): NavGroup[] {
  const groups: NavGroup[] = [
    {
      key: 'nav.explore',
      items: [
        { to: '/', key: 'nav.home' },
        { to: '/models', key: 'nav.models' },
        { to: '/rankings', key: 'nav.rankings' },
        { to: '/playground', key: 'nav.playground' },
      ],
    },
  ];
  if (viewer?.account)
    groups.push({
      key: 'nav.account',
      items: [
        { to: '/activity', key: 'nav.activity' },
        { to: '/credits', key: 'nav.credits' },
        ...(viewer.is(...KEY_MAKERS) ? [{ to: '/keys', key: 'nav.keys' } as const] : []),
        { to: '/settings', key: 'nav.settings' },
      ],
    });
  const operations: NavItem[] = [
    ...(viewer?.is(...MONEY_READERS)
      ? [{ to: '/finance', key: 'nav.finance' } as const]
      : // Who administers the platform may be nobody of finance in an account, and still pays the providers.
        viewer?.isAdmin
        ? [{ to: '/finance/provider-costs', key: 'nav.finance' } as const]
        : []),
    ...(viewer?.isAdmin ? [{ to: '/admin', key: 'nav.admin' } as const] : []),
  ];
  if (operations.length > 0) groups.push({ key: 'nav.operations', items: operations });
  return groups;
}

/** A page is active for its own address and those below it. */
export function isActive(item: string, path: string): boolean {
  return item === '/' ? path === '/' : path === item || path.startsWith(`${item}/`);
}
