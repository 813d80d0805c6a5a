// What stands in the address of pages with filters: read with suspicion, kept small, and empty means not there.

import { TRANSACTION_KINDS, type TransactionKind } from '../api/app_types';

type Raw = Record<string, unknown>;

const text = (value: unknown): string | undefined => {
  const written = typeof value === 'number' ? String(value) : value;
  return typeof written === 'string' && written !== '' && written.length <= 400 ? written : undefined;
};
const day = (value: unknown) => (/^\d{4}-\d{2}-\d{2}$/.test(String(value)) ? String(value) : undefined);
const oneOf = <T extends string>(value: unknown, known: readonly T[]) => known.find((one) => one === value);

/** Leaves out what is undefined: routes ask for exact optional fields. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

export const signInSearch = (raw: Raw) => present({ return_to: text(raw.return_to), error: text(raw.error) });

export const consentSearch = (raw: Raw) =>
  present({
    callback_url: text(raw.callback_url),
    code_challenge: text(raw.code_challenge),
    code_challenge_method: oneOf(raw.code_challenge_method, ['S256', 'plain'] as const),
  });

export const creditsSearch = (raw: Raw) =>
  present({
    kind: oneOf<TransactionKind>(raw.kind, TRANSACTION_KINDS),
    from: day(raw.from),
    to: day(raw.to),
    generation: text(raw.generation),
  });

/** How a request can have ended. */
export const STATUSES = ['ok', 'error', 'cancelled', 'released', 'expired'] as const;

export const RANGES = ['1d', '7d', '30d'] as const;
export const MEASURES = ['spend', 'requests', 'tokens'] as const;

/** What the list of requests is narrowed by. */
export const requestFilters = (raw: Raw) =>
  present({
    model: text(raw.model),
    key: text(raw.key),
    status: oneOf(raw.status, STATUSES),
    app: text(raw.app),
    from: day(raw.from),
    to: day(raw.to),
  });

export const activitySearch = (raw: Raw) =>
  present({
    ...requestFilters(raw),
    generation: text(raw.generation),
    range: oneOf(raw.range, RANGES),
    show: oneOf(raw.show, MEASURES),
  });
export type ActivitySearch = ReturnType<typeof activitySearch>;

export const PERIODS = ['day', 'week', 'month'] as const;
export const RANKING_KINDS = ['tokens', 'requests', 'spend', 'accounts', 'growth'] as const;
export type RankingKind = (typeof RANKING_KINDS)[number];

export const rankingsSearch = (raw: Raw) =>
  present({ period: oneOf(raw.period, PERIODS), kind: oneOf(raw.kind, RANKING_KINDS) });

export const financeSearch = (raw: Raw) =>
  present({
    event: text(raw.event),
    from: day(raw.from),
    to: day(raw.to),
    generation: text(raw.generation),
  });

export const providerCostsSearch = (raw: Raw) =>
  present({
    from: day(raw.from),
    to: day(raw.to),
    by: oneOf(raw.by, ['day'] as const),
    provider: text(raw.provider),
    channel: text(raw.channel),
    // The router reads bare digits as a number, which may have lost some: the app writes text.
    invoiced: typeof raw.invoiced === 'string' ? text(raw.invoiced) : undefined,
  });
export type ProviderCostsSearch = ReturnType<typeof providerCostsSearch>;

export const adminSearch = (raw: Raw) =>
  present({ channel: text(raw.channel), batch: text(raw.batch), account: text(raw.account) });

export const queryOnly = (raw: Raw) => present({ q: text(raw.q) });
export const modelList = (raw: Raw) => present({ models: text(raw.models) });

export const MODEL_ORDERS = ['name', 'newest', 'price', 'context'] as const;
export type ModelOrder = (typeof MODEL_ORDERS)[number];
export const CONTEXTS = ['32000', '128000', '200000', '1000000'] as const;
export const PRICE_CAPS = ['0.5', '1', '5', '15'] as const;

export const modelsSearch = (raw: Raw) =>
  present({
    q: text(raw.q),
    sort: oneOf(raw.sort, MODEL_ORDERS),
    view: oneOf(raw.view, ['table'] as const),
    modality: text(raw.modality),
    context: oneOf(typeof raw.context === 'number' ? String(raw.context) : raw.context, CONTEXTS),
    price: oneOf(typeof raw.price === 'number' ? String(raw.price) : raw.price, PRICE_CAPS),
    author: text(raw.author),
    provider: text(raw.provider),
    parameter: text(raw.parameter),
    free: raw.free === true || raw.free === 'true' ? true : undefined,
  });
export type ModelsSearch = ReturnType<typeof modelsSearch>;

export const modelSearch = (raw: Raw) => present({ range: oneOf(raw.range, RANGES) });
