// Shapes of `/api/app` and `/auth`. Amounts are decimal text in US dollars, times RFC 3339. What the specification says as
// exactly as pages need it is taken from there; it calls absent what is null, and text what is one of a few words.

import type { DecimalText } from '../money/decimal';
import type { components } from './openapi';

type Schemas = components['schemas'];

export type Role = 'owner' | 'admin' | 'member' | 'finance' | 'analyst';
export const ROLES: readonly Role[] = ['owner', 'admin', 'member', 'finance', 'analyst'];

export type Strategy = 'weighted_random' | 'lowest_latency' | 'lowest_cost';
export const STRATEGIES: readonly Strategy[] = ['weighted_random', 'lowest_latency', 'lowest_cost'];

export interface Privacy {
  data_collection: 'allow' | 'deny';
  zdr: boolean;
}

export interface Preferences {
  theme: 'system' | 'light' | 'dark';
  language: 'zh-CN' | 'en';
  default_model: string | null;
  routing_strategy: Strategy;
  privacy: Privacy;
}

export interface AccountPreferences {
  default_model: string | null;
  routing_strategy: Strategy | null;
  privacy: { data_collection: Privacy['data_collection'] | null; zdr: boolean | null };
}

export interface Session {
  user: {
    id: string;
    email: string;
    name: string;
    is_platform_admin: boolean;
    has_password: boolean;
    google_linked: boolean;
  };
  accounts: { id: string; name: string; role: Role; status: string }[];
  preferences: Preferences;
  csrf_token: string;
  expires_at: string;
}

export type SignInWays = Schemas['SignInWays'];

export interface Invitation {
  email: string;
  account_name: string;
  role: Role;
  expires_at: string;
}

export type SignedInDevice = Schemas['SessionRow'];

export interface Balance {
  balance: DecimalText;
  pending: DecimalText;
  held: DecimalText;
  available: DecimalText;
}

export interface Account extends Balance {
  id: string;
  name: string;
  currency: string;
  status: string;
  created_at: string;
  /** What all its keys together may ask; null is no limit. */
  rpm: number | null;
  tpm: number | null;
  concurrency: number | null;
  free_tier?: { requests_today: number; limit_per_day: number; limit_per_minute: number };
}

export interface Member {
  user_id: string;
  name: string;
  email: string;
  role: Role;
  joined_at: string;
}

export interface PendingInvitation {
  id: string;
  email: string;
  role: Role;
  expires_at: string;
  created_at: string;
  link?: string;
}

export interface Key {
  hash: string;
  name: string;
  label: string;
  disabled: boolean;
  limit: DecimalText | null;
  limit_remaining: DecimalText | null;
  limit_reset: 'daily' | 'weekly' | 'monthly' | null;
  usage: DecimalText;
  usage_daily: DecimalText;
  usage_weekly: DecimalText;
  usage_monthly: DecimalText;
  created_at: string;
  updated_at?: string | null;
  last_used_at?: string | null;
  expires_at?: string | null;
  allowed_models?: string[] | null;
  rpm?: number | null;
  tpm?: number | null;
  concurrency?: number | null;
  creator?: { user_id: string; name: string } | null;
  usage_daily_series?: { date: string; spend: DecimalText; requests: number }[];
  /** The secret: in the answer that creates it, and never again. */
  key?: string;
}

export const TRANSACTION_KINDS = ['usage', 'topup', 'grant', 'refund', 'adjustment', 'expiry'] as const;
export type TransactionKind = (typeof TRANSACTION_KINDS)[number];

export interface Transaction {
  id: string;
  kind: TransactionKind;
  amount: DecimalText;
  balance_after: DecimalText | null;
  generation_id: string | null;
  reference: string | null;
  reason: string | null;
  created_at: string;
  key?: { hash: string; name: string } | null;
  model?: string | null;
}

export type Redemption = Schemas['Redeemed'];

export interface LedgerEntry {
  event_id: string;
  kind: string;
  position: number | string;
  recorded_at: string;
  generation_id: string | null;
  postings: { account: string; amount: DecimalText }[];
  chain_hash: string;
}

export interface GenerationRow {
  id: string;
  created_at: string;
  model: string;
  endpoint?: string | null;
  provider?: string | null;
  provider_name?: string | null;
  key: { hash: string; name: string } | null;
  app: string | { name: string | null; url?: string | null } | null;
  status: 'ok' | 'error' | 'cancelled' | 'released' | 'expired';
  finish_reason: string | null;
  streamed: boolean | null;
  tokens: { prompt: number; completion: number; reasoning?: number | null; cached?: number | null };
  cost: DecimalText;
  latency_ms: number | null;
  time_to_first_token_ms: number | null;
  tokens_per_second: number | null;
  error_type: string | null;
}

export interface GenerationDetail extends GenerationRow {
  cost_lines?: { kind: string; quantity: number; unit_price: DecimalText; amount: DecimalText }[];
  attempts?: {
    channel: string;
    model?: string;
    status: number | null;
    error: string | null;
    latency_ms: number | null;
    time_to_first_token_ms: number | null;
  }[];
  timings?: {
    admitted_at: string;
    ended_at: string;
    total_ms: number;
    generation_ms: number;
    time_to_first_token_ms: number | null;
  };
  transaction_id?: string | null;
  route?: { requested_model: string; api_type: string };
  http_status?: number | null;
  native_finish_reason?: string | null;
  price_version?: string | null;
  upstream_id?: string | null;
  session_id?: string | null;
  external_user?: string | null;
  user_agent?: string | null;
}

export type ActivityGroup = Schemas['ActivityGroup'];

export type Activity = Schemas['Activity'];

export interface Overview {
  tokens_today: number;
  requests_today: number;
  tokens_week: number;
  models: number;
  providers: number;
  trending: { model: string; tokens: number; change: number | null }[];
  featured: string[];
}

export interface Ranking {
  rank: number;
  model: string;
  author: string;
  value: DecimalText;
  share: number | null;
  change: number | null;
  previous_rank: number | null;
}

export interface AuthorShare {
  rank?: number;
  author: string;
  value: DecimalText;
  share: number | null;
  change: number | null;
}

export interface AppRanking {
  rank: number;
  app: { name: string | null; url: string | null };
  tokens: number;
  requests: number;
  share: number | null;
  change: number | null;
}

export type RankingSeries = Schemas['RankingSeries'];

export type EndpointMetric = 'time_to_first_token' | 'throughput' | 'uptime';

export interface EndpointSeries {
  interval: 'hour' | 'day';
  points: { at: string; endpoints: Record<string, number | null> }[];
}

export interface UsageSeries {
  interval: 'hour' | 'day';
  points: { at: string; value: number | null }[];
}

export interface Channel {
  id: string;
  name: string;
  provider: string;
  base_url: string | null;
  priority: number;
  weight: number;
  managed_by: 'file' | 'app' | string;
  status: string;
  models: ChannelModel[];
  health?: { status?: string; latency_ms?: number | null; checked_at?: string | null } & Record<string, unknown>;
}

export type Prices = Record<string, DecimalText>;

export interface ChannelModel {
  id: string;
  upstream?: string | null;
  context_length?: number | null;
  max_completion_tokens?: number | null;
  output_modalities?: string[] | null;
  price: Prices | 'free';
  cost?: Prices | 'free' | null;
}

export interface ProviderKind {
  id: string;
  name: string;
  default_base_url: string | null;
  models: ChannelModel[];
}

export type ChannelTest = Schemas['Probe'];

export interface AdminModel {
  id: string;
  name: string;
  channels: {
    channel_id: string;
    channel_name: string;
    price: Prices | 'free' | null;
    cost: Prices | 'free' | null;
    status: string;
  }[];
  price_versions: number;
}

export interface PriceVersion {
  id: string;
  channel_id: string;
  model: string;
  price: Prices | 'free';
  cost: Prices | 'free' | null;
  effective_at: string;
  created_at: string;
  created_by: string | { name?: string } | null;
}

export interface AdminUser {
  id: string;
  email: string;
  name: string;
  is_platform_admin: boolean;
  status: string;
  created_at: string;
  last_sign_in_at: string | null;
  accounts: { id: string; name: string; role: Role }[];
}

export interface CodeBatch {
  id: string;
  amount: DecimalText;
  count: number;
  redeemed: number;
  expires_at: string | null;
  note: string | null;
  created_at: string;
  status: string;
  codes?: string[];
}

export type AuditRecord = Schemas['AuditRecordView'];

export type BalanceAlert = Schemas['AppBalanceAlertView'];
export type Delivery = Schemas['DeliveryView'];

export type AccountAudit = Schemas['AccountAuditView'];

export interface AuditReport {
  ok: boolean;
  checked: Record<string, number>;
  differences: { kind: string; subject: string; expected: unknown; found: unknown }[];
  heads?: { partition: number | string; position: number | string; hash: string }[];
  checked_at?: string | null;
}

export interface SystemReport {
  version: string;
  uptime_seconds: number;
  shape: 'embedded' | 'distributed';
  backends: { name: string; kind: string; url: string; ok: boolean; latency_ms: number | null }[];
  gateways: { id: string; address: string | null; last_seen_at: string }[];
  lag: Record<string, number | null>;
}
