// The pages and their addresses. Every page is a chunk of its own; all but the first bring the rest of the texts.

import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  lazyRouteComponent,
  type RouterHistory,
  redirect,
} from '@tanstack/react-router';
import { NetworkError } from '../api/client';
import { loadPageTexts } from '../i18n';
import { ErrorState } from '../ui/ErrorState';
import { Layout } from './Layout';
import { NotFoundPage } from './NotFoundPage';
import {
  activitySearch,
  adminSearch,
  consentSearch,
  creditsSearch,
  financeSearch,
  modelList,
  modelSearch,
  modelsSearch,
  providerCostsSearch,
  rankingsSearch,
  signInSearch,
} from './search';

const root = createRootRoute({
  component: Layout,
  notFoundComponent: NotFoundPage,
  errorComponent: PageError,
});

/** How browsers and the bundler say that a part of the app did not arrive. */
const NOT_ARRIVED = /preload|dynamically imported module|importing a module/i;

function PageError({ error, reset }: ErrorComponentProps) {
  const known = error instanceof Error ? error : new Error(String(error));
  // The server is away, or has another build of the app by now: only a fresh page helps.
  const isAway = NOT_ARRIVED.test(known.message);
  return (
    <ErrorState
      error={isAway ? new NetworkError(known) : known}
      onRetry={isAway ? () => window.location.reload() : reset}
    />
  );
}

/** A page that comes with the texts of all pages. */
function page<T extends Record<string, unknown>>(load: () => Promise<T>, name: keyof T & string) {
  return lazyRouteComponent(async () => {
    const [module] = await Promise.all([load(), loadPageTexts()]);
    return module;
  }, name as never);
}

const routes = [
  createRoute({
    getParentRoute: () => root,
    path: '/',
    component: lazyRouteComponent(() => import('../features/home/HomePage'), 'HomePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/models',
    validateSearch: modelsSearch,
    component: page(() => import('../features/models/ModelsPage'), 'ModelsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/models/$author/$slug',
    validateSearch: modelSearch,
    component: page(() => import('../features/models/ModelPage'), 'ModelPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/compare',
    validateSearch: modelList,
    component: page(() => import('../features/models/ComparePage'), 'ComparePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/rankings',
    validateSearch: rankingsSearch,
    component: page(() => import('../features/rankings/RankingsPage'), 'RankingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/playground',
    validateSearch: modelList,
    component: page(() => import('../features/playground/PlaygroundPage'), 'PlaygroundPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/activity',
    validateSearch: activitySearch,
    component: page(() => import('../features/activity/ActivityPage'), 'ActivityPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/credits',
    validateSearch: creditsSearch,
    component: page(() => import('../features/credits/CreditsPage'), 'CreditsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/keys',
    component: page(() => import('../features/keys/KeysPage'), 'KeysPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/key',
    validateSearch: (search: Record<string, unknown>): { generation?: string } =>
      typeof search.generation === 'string' ? { generation: search.generation } : {},
    component: page(() => import('../features/key/KeyPage'), 'KeyPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings',
    beforeLoad: () => {
      throw redirect({ to: '/settings/$section', params: { section: 'profile' }, replace: true });
    },
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/settings/$section',
    component: page(() => import('../features/settings/SettingsPage'), 'SettingsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/finance',
    validateSearch: financeSearch,
    component: page(() => import('../features/finance/FinancePage'), 'FinancePage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/finance/audit',
    component: page(() => import('../features/finance/FinancePage'), 'AuditPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/finance/provider-costs',
    validateSearch: providerCostsSearch,
    component: page(() => import('../features/finance/FinancePage'), 'ProviderCostsPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin',
    beforeLoad: () => {
      throw redirect({ to: '/admin/$section', params: { section: 'channels' }, replace: true });
    },
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/admin/$section',
    validateSearch: adminSearch,
    component: page(() => import('../features/admin/AdminPage'), 'AdminPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/sign-in',
    validateSearch: signInSearch,
    component: page(() => import('../features/session/SignInPage'), 'SignInPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/invitations/$token',
    component: page(() => import('../features/session/InvitationPage'), 'InvitationPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/auth',
    validateSearch: consentSearch,
    component: page(() => import('../features/session/ConsentPage'), 'ConsentPage'),
  }),
] as const;

const routeTree = root.addChildren(routes);

/** Tests give a history of their own. */
export function createAppRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    defaultPreload: 'intent',
    // Within the layout, so that whoever meets it can go on elsewhere.
    defaultErrorComponent: PageError,
    scrollRestoration: true,
    ...(history ? { history } : {}),
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
