// How a channel does, as the gateway tells it: over all gateways, from five minutes to a day.

import type { Tone } from '../../ui/StatusDot';

export const HEALTH_STATES = ['disabled', 'unknown', 'healthy', 'degraded', 'unhealthy'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

export const HEALTH_TONES: Record<HealthState, Tone> = {
  disabled: 'none',
  unknown: 'none',
  healthy: 'good',
  degraded: 'fair',
  unhealthy: 'bad',
};

/** Attempts by how they ended, and what those took that succeeded. */
export interface HealthWindow {
  success: number;
  error: number;
  rate_limited: number;
  /** The client's fault or choice. */
  not_counted: number;
  /** From 0 to 1. */
  success_rate: number | null;
  average_latency_ms: number | null;
  average_time_to_first_token_ms: number | null;
  /** Tokens a second. */
  throughput: number | null;
}

export const WINDOWS = ['last_5m', 'last_30m', 'last_1d'] as const;

interface Windows extends Record<(typeof WINDOWS)[number], HealthWindow> {}

interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
}

export interface ChannelHealth extends Windows {
  status: HealthState;
  consecutive_failures: number;
  last_check_at: string | null;
  last_success_at: string | null;
  last_failure_at: string | null;
  breaker: { state: 'closed' | 'open' | 'half_open'; open_until: string | null; probes: number };
  cooling_until: string | null;
  requests_in_flight: number;
  keys: { fingerprint: string; status: 'usable' | 'cooling' | 'refused'; until: string | null }[];
}

export interface ChannelHealthDetail extends ChannelHealth {
  id: string;
  name: string;
  models: (Windows & {
    id: string;
    status: HealthState;
    is_missing: boolean;
    expected_time_to_first_token_ms: number | null;
    latency_last_30m: Percentiles | null;
    throughput_last_30m: Percentiles | null;
  })[];
}
