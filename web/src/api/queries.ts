// What pages ask the gateway. Server state lives in the query cache and nowhere else.

import { queryOptions } from '@tanstack/react-query';
import { ApiError, getJson } from './client';
import type { Credits, Endpoint, Generation, KeyInfo, Model, Provider } from './types';

const MINUTE_MS = 60_000;

/** Models one can talk to. */
export const modelsQuery = queryOptions({
  queryKey: ['models'],
  queryFn: async ({ signal }) => (await getJson<{ data: Model[] }>('/api/v1/models', undefined, signal)).data,
  staleTime: 2 * MINUTE_MS,
});

/** All models, those that make embeddings as well. */
export const everyModelQuery = queryOptions({
  queryKey: ['models', 'every'],
  queryFn: async ({ signal }) =>
    (await getJson<{ data: Model[] }>('/api/v1/models?output_modalities=all', undefined, signal)).data,
  staleTime: 2 * MINUTE_MS,
});

/** The same for a provider (its slug) only. */
export const modelsOfProviderQuery = (provider: string) =>
  queryOptions({
    queryKey: ['models', 'of', provider],
    queryFn: async ({ signal }) =>
      (
        await getJson<{ data: Model[] }>(
          `/api/v1/models?output_modalities=all&providers=${encodeURIComponent(provider)}`,
          undefined,
          signal,
        )
      ).data,
    staleTime: 2 * MINUTE_MS,
  });

export const providersQuery = queryOptions({
  queryKey: ['providers'],
  queryFn: async ({ signal }) => (await getJson<{ data: Provider[] }>('/api/v1/providers', undefined, signal)).data,
  staleTime: 2 * MINUTE_MS,
});

export const keyQuery = (key: string) =>
  queryOptions({
    queryKey: ['key', key],
    queryFn: async ({ signal }) => (await getJson<{ data: KeyInfo }>('/api/v1/key', key, signal)).data,
    retry: retryUnlessRefused,
  });

export const creditsQuery = (key: string) =>
  queryOptions({
    queryKey: ['credits', key],
    queryFn: async ({ signal }) => (await getJson<{ data: Credits }>('/api/v1/credits', key, signal)).data,
    retry: retryUnlessRefused,
  });

export const generationQuery = (key: string, id: string) =>
  queryOptions({
    queryKey: ['generation', key, id],
    queryFn: async ({ signal }) =>
      (await getJson<{ data: Generation }>(`/api/v1/generation?id=${encodeURIComponent(id)}`, key, signal)).data,
    enabled: id !== '',
    retry: retryUnlessRefused,
  });

/** An answer that says no will say no again; only a gateway that cannot answer just now is asked once more. */
export function retryUnlessRefused(failures: number, error: Error): boolean {
  return failures < 2 && !(error instanceof ApiError && error.status < 500);
}

interface ModelEndpoints {
  data: { endpoints: Endpoint[] };
}

/** Nobody signed in where statistics are not public, or a gateway that does not tell them apart yet. */
const NOT_TOLD = [401, 403, 404];

/** With their speeds, where statistics are told; what everybody may see of them elsewhere. */
async function measuredEndpoints(model: string, signal: AbortSignal): Promise<ModelEndpoints> {
  try {
    return await getJson<ModelEndpoints>(`/api/app/models/${model}/endpoints`, undefined, signal);
  } catch (error) {
    if (!(error instanceof ApiError && NOT_TOLD.includes(error.status))) throw error;
    return await getJson<ModelEndpoints>(`/api/v1/models/${model}/endpoints`, undefined, signal);
  }
}

export const endpointsQuery = (model: string) =>
  queryOptions({
    queryKey: ['endpoints', model],
    queryFn: async ({ signal }) => (await measuredEndpoints(model, signal)).data.endpoints,
    staleTime: MINUTE_MS,
  });
