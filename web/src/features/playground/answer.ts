// One streamed answer: the request, the events, and what they add up to. No React here.

import { ApiError, failure, getJson, post } from '../../api/client';
import { parseExactly } from '../../api/exact_json';
import { dataLines } from '../../api/sse';
import type { Generation, Usage } from '../../api/types';

export interface Turn {
  role: 'user' | 'assistant';
  content: string;
}

export interface AnswerRequest {
  model: string;
  system: string;
  turns: readonly Turn[];
  maxTokens: number | null;
  temperature: number | null;
  topP: number | null;
}

export interface Answer {
  id: string | null;
  model: string | null;
  provider: string | null;
  text: string;
  reasoning: string;
  finishReason: string | null;
  usage: Usage | null;
  /** Milliseconds since the request was sent. */
  firstTokenMs: number | null;
  totalMs: number;
}

interface Chunk {
  id?: string;
  model?: string;
  provider?: string;
  choices?: { delta?: { content?: string | null; reasoning?: string | null }; finish_reason?: string | null }[];
  usage?: Usage | null;
  error?: { code?: number; message?: string; metadata?: { error_type?: string } };
}

export const NO_ANSWER: Answer = {
  id: null,
  model: null,
  provider: null,
  text: '',
  reasoning: '',
  finishReason: null,
  usage: null,
  firstTokenMs: null,
  totalMs: 0,
};

/**
 * Asks and gives the answer as far as it has come, after every event. Throws an ApiError when the gateway refuses or
 * the stream ends with an error, and what fetch throws when it is cut or aborted.
 */
export async function* streamAnswer(request: AnswerRequest, key: string, signal: AbortSignal): AsyncGenerator<Answer> {
  const begin = performance.now();
  const response = await post('/api/v1/chat/completions', body(request), key, signal);
  if (!response.body) throw failure(response.status, '');
  let answer = { ...NO_ANSWER, id: response.headers.get('x-generation-id') };
  yield answer;
  for await (const line of dataLines(response.body)) {
    if (line === '[DONE]') return;
    const chunk = parseExactly(line) as Chunk;
    answer = merge(answer, chunk, performance.now() - begin);
    yield answer;
    if (chunk.error) {
      const { code = 502, message = '', metadata } = chunk.error;
      throw new ApiError(code, metadata?.error_type ?? 'unknown', message);
    }
  }
}

/** A stopped answer is settled within moments: how often, and how long apart, its charge is asked for. */
const CHARGE_TRIES = 8;
const CHARGE_WAIT_MS = 400;

/** What an answer that was stopped took and cost, from the gateway's books; null when they do not say in time. */
export async function chargeOfStopped(id: string, key: string): Promise<Usage | null> {
  for (let tries = 0; tries < CHARGE_TRIES; tries += 1) {
    await new Promise((done) => setTimeout(done, CHARGE_WAIT_MS));
    try {
      const { data } = await getJson<{ data: Generation }>(`/api/v1/generation?id=${encodeURIComponent(id)}`, key);
      return {
        prompt_tokens: data.native_tokens_prompt ?? 0,
        completion_tokens: data.native_tokens_completion ?? 0,
        cost: data.total_cost,
      };
    } catch (error) {
      // Not in the books yet.
      if (!(error instanceof ApiError && error.status === 404)) return null;
    }
  }
  return null;
}

function merge(answer: Answer, chunk: Chunk, elapsedMs: number): Answer {
  const delta = chunk.choices?.[0]?.delta;
  const came = (delta?.content ?? '') !== '' || (delta?.reasoning ?? '') !== '';
  return {
    id: chunk.id ?? answer.id,
    model: chunk.model ?? answer.model,
    provider: chunk.provider ?? answer.provider,
    text: answer.text + (delta?.content ?? ''),
    reasoning: answer.reasoning + (delta?.reasoning ?? ''),
    finishReason: chunk.choices?.[0]?.finish_reason ?? answer.finishReason,
    usage: chunk.usage ?? answer.usage,
    firstTokenMs: answer.firstTokenMs ?? (came ? elapsedMs : null),
    totalMs: elapsedMs,
  };
}

function body(request: AnswerRequest): object {
  const system = request.system.trim() === '' ? [] : [{ role: 'system', content: request.system }];
  return {
    model: request.model,
    messages: [...system, ...request.turns],
    stream: true,
    ...(request.maxTokens === null ? {} : { max_tokens: request.maxTokens }),
    ...(request.temperature === null ? {} : { temperature: request.temperature }),
    ...(request.topP === null ? {} : { top_p: request.topP }),
  };
}
