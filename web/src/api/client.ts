// Requests to the gateway this page came from: `/api/v1` with a key, `/api/app` and `/auth` with the session's cookie.

import { parseExactly } from './exact_json';

/** What the gateway said instead of an answer. `type` is the stable word, `message` is for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
    readonly metadata: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** The finer word that `/api/app` and `/auth` give: `csrf`, `forbidden`, `unauthenticated`, … */
  get reason(): string {
    return typeof this.metadata.reason === 'string' ? this.metadata.reason : this.type;
  }
}

/** Nothing came back at all. */
export class NetworkError extends Error {
  constructor(cause: unknown) {
    super('the gateway did not answer', { cause });
    this.name = 'NetworkError';
  }
}

interface Envelope {
  error?: { message?: string; code?: number; metadata?: { error_type?: string } & Record<string, unknown> };
}

/** One page of a list. */
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

export async function getJson<T>(path: string, key?: string, signal?: AbortSignal): Promise<T> {
  // What others may keep for minutes, this app asks for anew: prices and models change while it is open.
  const response = await request(path, { headers: headers(key), signal: signal ?? null, cache: 'no-cache' });
  const text = await response.text();
  if (!response.ok) throw failure(response.status, text);
  return parseExactly(text) as T;
}

/** Sends a body and returns the response once its head is there; anything but a 2xx is thrown. */
export async function post(path: string, body: unknown, key: string, signal: AbortSignal): Promise<Response> {
  const response = await request(path, {
    method: 'POST',
    headers: { ...headers(key), 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw failure(response.status, await response.text());
  return response;
}

let unauthenticated = () => {};
/** Who wants to know that the app's own API takes nobody to be signed in. One listener; returns how to stop. */
export function whenUnauthenticated(listener: () => void): () => void {
  unauthenticated = listener;
  return () => {
    if (unauthenticated === listener) unauthenticated = () => {};
  };
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Proves to the server that a change comes from this app; part of the session, kept in memory only. */
let csrfToken = '';
export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

/** The text of a good answer of the app's own API. */
async function exchange(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<string> {
  const response = await request(path, {
    method,
    signal: signal ?? null,
    headers: {
      accept: 'application/json',
      ...(method === 'GET' ? {} : { 'x-csrf-token': csrfToken }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) {
    const refused = failure(response.status, text);
    if (refused.reason === 'unauthenticated') unauthenticated();
    throw refused;
  }
  return text;
}

/** An answer of the app's own API, whole: `{data, next_cursor, …}`. Its amounts are strings, so plain JSON is exact. */
export async function whole<T>(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T & { data: unknown }> {
  const text = await exchange(method, path, body, signal);
  return text === '' ? ({ data: null } as T & { data: unknown }) : JSON.parse(text);
}

/** The `data` of an answer of the app's own API. */
export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await whole<object>(method, path, body, signal)).data as T;
}

/** The `data` of an answer that writes amounts as numbers, as `/api/v1` does: read to their last digit. */
export async function readExactly<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (parseExactly(await exchange('GET', path, undefined, signal)) as { data: T }).data;
}

/** A path with the parameters that have a value. */
export function withQuery(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== undefined && value !== '') query.set(name, String(value));
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function request(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    // fetch says TypeError for every failure to connect; an abort is the page's own doing.
    throw error instanceof TypeError ? new NetworkError(error) : error;
  }
}

function headers(key?: string): Record<string, string> {
  return key ? { authorization: `Bearer ${key}` } : {};
}

export function failure(status: number, text: string): ApiError {
  try {
    const { error } = parseExactly(text) as Envelope;
    if (error?.message)
      return new ApiError(error.code ?? status, error.metadata?.error_type ?? 'unknown', error.message, error.metadata);
  } catch {
    // A proxy's page, or nothing at all: the status says enough.
  }
  return new ApiError(status, 'unknown', `HTTP ${status}`);
}
