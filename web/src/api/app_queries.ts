// What signed-in pages ask `/api/app`. Keys of the cache begin with the noun, then the account, so that a change can
// say what it made old.

import { hashKey, infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type {
  Account,
  AccountAudit,
  AccountPreferences,
  Activity,
  AppRanking,
  AuthorShare,
  BalanceAlert,
  Delivery,
  EndpointMetric,
  EndpointSeries,
  GenerationDetail,
  GenerationRow,
  Invitation,
  Key,
  LedgerEntry,
  Member,
  Overview,
  PendingInvitation,
  Ranking,
  RankingSeries,
  Session,
  SignedInDevice,
  SignInWays,
  Transaction,
  UsageSeries,
} from './app_types';
import { ApiError, call, type Page, readExactly, rememberCsrfToken, whole, withQuery } from './client';
import type { ProviderCostReport } from './types';

const MINUTE_MS = 60_000;
type Filters = Record<string, string | number | undefined>;

export const appPath = (account: string, rest = '') => `/api/app/accounts/${encodeURIComponent(account)}${rest}`;

/** Null when nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      const session = await call<Session>('GET', '/api/app/session', undefined, signal);
      rememberCsrfToken(session.csrf_token);
      return session;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 404)) return null;
      throw error;
    }
  },
  staleTime: 5 * MINUTE_MS,
});

export const signInWaysQuery = queryOptions({
  queryKey: ['sign-in-ways'],
  queryFn: ({ signal }) => call<SignInWays>('GET', '/auth/providers', undefined, signal),
  staleTime: 10 * MINUTE_MS,
});

export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ['invitation', token],
    queryFn: ({ signal }) =>
      call<Invitation>('GET', `/auth/invitations/${encodeURIComponent(token)}`, undefined, signal),
  });

const list = <T>(name: string, path: string) =>
  queryOptions({ queryKey: [name], queryFn: ({ signal }) => call<T>('GET', path, undefined, signal) });

export const devicesQuery = list<SignedInDevice[]>('devices', '/api/app/sessions');

const ofAccount =
  <T>(name: string, rest: string) =>
  (account: string) =>
    queryOptions({
      queryKey: [name, account],
      queryFn: ({ signal }) => call<T>('GET', appPath(account, rest), undefined, signal),
    });

export const accountQuery = ofAccount<Account>('account', '');
export const accountPreferencesQuery = ofAccount<AccountPreferences>('account-preferences', '/preferences');
export const accountAuditQuery = ofAccount<AccountAudit>('account-audit', '/audit');
/** Null where nobody is told. */
export const balanceAlertQuery = ofAccount<BalanceAlert | null>('balance-alert', '/balance-alert');
export const deliveriesQuery = ofAccount<Delivery[]>('deliveries', '/balance-alert/deliveries?limit=10');
export const membersQuery = ofAccount<Member[]>('members', '/members');
export const invitationsQuery = ofAccount<PendingInvitation[]>('invitations', '/invitations');
export const keysQuery = ofAccount<Key[]>('keys', '/keys?limit=200');

/**
 * The answer before, while the next is on its way: only for the same subject, which is what the key begins with. Rows of
 * another account, or tokens where it says dollars now, would be read as what they are not.
 */
export const keptFor =
  (subject: readonly unknown[]) =>
  <T>(before: T | undefined, query: { queryKey: readonly unknown[] } | undefined): T | undefined =>
    query && hashKey(query.queryKey.slice(0, subject.length)) === hashKey(subject) ? before : undefined;

/**
 * Rows in pages, each asked for with the cursor of the one before. While they are narrowed otherwise those before stay,
 * dimmed: a row says itself what it is.
 */
const pages = <T>(queryKey: readonly unknown[], path: string, filters: Filters) =>
  infiniteQueryOptions({
    queryKey: [...queryKey, filters],
    queryFn: ({ pageParam, signal }) =>
      whole<Page<T>>('GET', withQuery(path, { ...filters, cursor: pageParam }), undefined, signal) as Promise<Page<T>>,
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor ?? null,
    placeholderData: keptFor(queryKey),
  });

export const transactionsQuery = (account: string, filters: Filters) =>
  pages<Transaction>(['transactions', account], appPath(account, '/transactions'), filters);
export const generationsQuery = (account: string, filters: Filters) =>
  pages<GenerationRow>(['generations', account], appPath(account, '/generations'), filters);
export const ledgerQuery = (account: string, filters: Filters) =>
  pages<LedgerEntry>(['ledger', account], appPath(account, '/ledger'), filters);

/** An admin's list: the same for every account. */
export const adminPages = <T>(name: string, filters: Filters = {}) =>
  pages<T>(['admin', name], `/api/app/admin/${name}`, filters);
export const adminQuery = <T>(path: string) =>
  queryOptions({
    queryKey: ['admin', ...path.split('/')],
    queryFn: ({ signal }) => call<T>('GET', `/api/app/admin/${path}`, undefined, signal),
  });

export interface CostFilters {
  from: string;
  to: string;
  by: 'day' | 'month';
  channel?: string | undefined;
  provider?: string | undefined;
}

export const providerCostsPath = (filters: CostFilters & { format?: 'csv' }) =>
  withQuery('/api/app/admin/provider-costs', { ...filters });

/** What providers should have invoiced. */
export const providerCostsQuery = (filters: CostFilters) =>
  queryOptions({
    queryKey: ['admin', 'provider-costs', filters],
    queryFn: ({ signal }) => readExactly<ProviderCostReport>(providerCostsPath(filters), signal),
  });

export const generationDetailQuery = (id: string) =>
  queryOptions({
    queryKey: ['generation-detail', id],
    queryFn: ({ signal }) =>
      call<GenerationDetail>('GET', `/api/app/generations/${encodeURIComponent(id)}`, undefined, signal),
    enabled: id !== '',
  });

/** Sums and statistics: nothing of an answer to another question is kept, because their labels stand outside it. */
export const activityQuery = (account: string, filters: Filters) =>
  queryOptions({
    queryKey: ['activity', account, filters],
    queryFn: ({ signal }) =>
      call<Activity>('GET', withQuery(appPath(account, '/activity'), filters), undefined, signal),
  });

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => call<Overview>('GET', '/api/app/overview', undefined, signal),
  staleTime: MINUTE_MS / 2,
  refetchInterval: MINUTE_MS,
});

export type Period = 'day' | 'week' | 'month';

const statistics = <T>(name: string, path: string, filters: Filters) =>
  queryOptions({
    queryKey: ['statistics', name, filters],
    queryFn: ({ signal }) => call<T>('GET', withQuery(path, filters), undefined, signal),
    staleTime: MINUTE_MS,
  });

export const rankingsQuery = (period: Period, kind: string) =>
  statistics<Ranking[]>('rankings', '/api/app/rankings', { period, kind, limit: 50 });
export const authorsQuery = (period: Period, kind: string) =>
  statistics<AuthorShare[]>('authors', '/api/app/rankings/authors', { period, kind });
export const appsQuery = (period: Period) =>
  statistics<AppRanking[]>('apps', '/api/app/rankings/apps', { period, limit: 20 });
export const rankingSeriesQuery = (period: Period) =>
  statistics<RankingSeries>('series', '/api/app/rankings/series', {
    period,
    periods: period === 'day' ? 14 : 12,
    top: 9,
  });

const ofModel = <T>(id: string, rest: string, filters: Filters = {}) =>
  queryOptions({
    queryKey: ['statistics', 'model', id, rest, filters],
    queryFn: ({ signal }) => call<T>('GET', withQuery(`/api/app/models/${id}/${rest}`, filters), undefined, signal),
    staleTime: MINUTE_MS,
  });

export const endpointSeriesQuery = (id: string, metric: EndpointMetric, range: string) =>
  ofModel<EndpointSeries>(id, 'series', { metric, range });
export const usageSeriesQuery = (id: string, metric: 'tokens' | 'requests' | 'errors', range: string) =>
  ofModel<UsageSeries>(id, 'series', { metric, range });
export const modelAppsQuery = (id: string) => ofModel<AppRanking[]>(id, 'apps');
