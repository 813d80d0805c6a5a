// The parts of the API's answers that the pages show. Amounts are decimal text, see exact_json.ts.

import type { DecimalText } from '../money/decimal';
import type { components } from './openapi';

type Schemas = components['schemas'];

export interface Model {
  id: string;
  name: string;
  description?: string | null;
  created: number;
  context_length: number | null;
  architecture?: { input_modalities?: string[]; output_modalities?: string[] } | null;
  pricing: Partial<Record<PriceKey, DecimalText>>;
  top_provider?: { max_completion_tokens?: number | null } | null;
  supported_parameters?: string[];
}

export type PriceKey =
  | 'prompt'
  | 'completion'
  | 'request'
  | 'image'
  | 'audio'
  | 'internal_reasoning'
  | 'input_cache_read'
  | 'input_cache_write'
  | 'input_cache_write_1h';

export interface KeyInfo {
  label: string;
  limit: DecimalText | null;
  limit_remaining: DecimalText | null;
  limit_reset?: 'daily' | 'weekly' | 'monthly' | null;
  usage: DecimalText;
  usage_daily?: DecimalText;
  usage_weekly?: DecimalText;
  usage_monthly?: DecimalText;
  expires_at?: string | null;
}

export interface Credits {
  total_credits: DecimalText;
  total_usage: DecimalText;
}

export interface Generation {
  id: string;
  model: string;
  provider_name: string | null;
  created_at: string;
  streamed: boolean | null;
  cancelled: boolean | null;
  finish_reason: string | null;
  latency: DecimalText | null;
  generation_time: DecimalText | null;
  native_tokens_prompt: number | null;
  native_tokens_completion: number | null;
  native_tokens_reasoning: number | null;
  native_tokens_cached: number | null;
  total_cost: DecimalText;
  cache_discount: DecimalText | null;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  cost?: DecimalText;
  prompt_tokens_details?: { cached_tokens?: number };
  completion_tokens_details?: { reasoning_tokens?: number };
}

/** Who serves models. */
export interface Provider {
  name: string;
  slug: string;
}

export interface Endpoint {
  name: string;
  tag?: string | null;
  provider_name?: string | null;
  context_length?: number | null;
  pricing?: Partial<Record<PriceKey, DecimalText>>;
  uptime_last_30m?: DecimalText | null;
  latency_last_30m?: { p50: DecimalText } | null;
  throughput_last_30m?: { p50: DecimalText } | null;
}

type Exactly<T, Amounts extends keyof T> = Omit<T, Amounts> & Record<Amounts, DecimalText>;

export type CostSums = Exactly<Schemas['CostSums'], 'cost' | 'estimated_cost'>;
export type TokenKind = keyof Schemas['TokensByKind'];

/** What one model of one channel cost in a day or month. All three names are empty where nobody knows whom was asked. */
export type ProviderCost = CostSums & Record<'period' | 'channel' | 'provider' | 'model', string>;

export type ProviderCostReport = Omit<Schemas['ProviderCostReport'], 'rows' | 'total' | 'books' | 'invoice'> & {
  rows: ProviderCost[];
  total: CostSums;
  books: Exactly<Schemas['BooksView'], 'provider_cost' | 'difference'>;
};
