import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../api/client';
import { type Answer, streamAnswer } from './answer';

const REQUEST = {
  model: 'acme/one',
  system: ' ',
  turns: [{ role: 'user' as const, content: 'Hi' }],
  maxTokens: 50,
  temperature: null,
  topP: null,
};

function respond(body: string, status = 200): ReturnType<typeof vi.fn> {
  const fetched = vi.fn(async () => new Response(body, { status, headers: { 'x-generation-id': 'gen-1' } }));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

async function last(): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  for await (const next of streamAnswer(REQUEST, 'sk', new AbortController().signal)) answer = next;
  return answer;
}

afterEach(() => vi.unstubAllGlobals());

describe('streamAnswer', () => {
  it('adds up text, reasoning, usage and exact cost', async () => {
    const fetched = respond(
      [
        ': OPENROUTER PROCESSING',
        'data: {"id":"gen-1","model":"acme/one","provider":"Acme","choices":[{"delta":{"reasoning":"hm"},"finish_reason":null}]}',
        'data: {"choices":[{"delta":{"content":"Hel"},"finish_reason":null}]}',
        'data: {"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}',
        'data: {"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.000000123}}',
        'data: [DONE]',
        '',
      ].join('\n\n'),
    );
    const answer = await last();
    expect(answer).toMatchObject({ text: 'Hello', reasoning: 'hm', provider: 'Acme', finishReason: 'stop' });
    expect(answer?.usage?.cost).toBe('0.000000123');
    expect(answer?.firstTokenMs).not.toBeNull();
    const sent = JSON.parse(String(fetched.mock.calls[0]?.[1]?.body));
    expect(sent).toEqual({ model: 'acme/one', messages: REQUEST.turns, stream: true, max_tokens: 50 });
  });

  it('tells a refusal by its type', async () => {
    respond('{"error":{"code":402,"message":"not enough","metadata":{"error_type":"payment_required"}}}', 402);
    await expect(last()).rejects.toMatchObject({ status: 402, type: 'payment_required', message: 'not enough' });
  });

  it('tells an error that comes in the middle of a stream', async () => {
    respond(
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"code":502,"message":"gone"},"choices":[]}\n\n',
    );
    await expect(last()).rejects.toBeInstanceOf(ApiError);
  });

  it('keeps the status of an answer that is no JSON', async () => {
    respond('<html>Bad Gateway</html>', 502);
    await expect(last()).rejects.toMatchObject({ status: 502, message: 'HTTP 502' });
  });
});
