// A conversation with one or several models at once: their messages, the answers that are streaming in, and how to
// stop them. Every model remembers its own answers only.

import { useCallback, useEffect, useRef } from 'react';
import { ApiError } from '../../api/client';
import { type Answer, type AnswerRequest, chargeOfStopped, NO_ANSWER, streamAnswer } from './answer';
import {
  forgetConversations,
  type Message,
  nextMessageId,
  changeConversations as setConversations,
  useConversationStore,
} from './conversation_store';
import type { KeySource } from './playground_key';

export type Sampling = Omit<AnswerRequest, 'turns' | 'model'>;

export function useConversations() {
  const conversations = useConversationStore(({ all }) => all);
  const running = useRef<AbortController | null>(null);

  const stop = useCallback(() => running.current?.abort(), []);
  const clear = useCallback(() => {
    running.current?.abort();
    forgetConversations();
  }, []);
  // Leaving the page ends what is running: an answer nobody reads is still charged.
  useEffect(() => () => running.current?.abort(), []);

  const ask = useCallback(
    async (model: string, text: string, sampling: Sampling, first: string, keys: KeySource, signal: AbortSignal) => {
      // Not as the page drew it: a key may have been made since.
      const before = useConversationStore.getState().all[model] ?? [];
      const question: Message = { id: nextMessageId(), role: 'user', content: text, state: 'done' };
      const id = nextMessageId();
      const turns = [...before.filter((message) => message.content !== ''), question].map(({ role, content }) => ({
        role,
        content,
      }));
      const answer: Message = { id, role: 'assistant', content: '', answer: NO_ANSWER, state: 'streaming' };
      setConversations((all) => ({ ...all, [model]: [...before, question, answer] }));
      const change = (changed: Partial<Message>) =>
        setConversations((all) => ({
          ...all,
          [model]: (all[model] ?? []).map((message) => (message.id === id ? { ...message, ...changed } : message)),
        }));
      let last: Answer = NO_ANSWER;
      let key = first;
      const stream = async () => {
        for await (const part of streamAnswer({ ...sampling, model, turns }, key, signal)) {
          last = part;
          change({ answer: part, content: part.text });
        }
      };
      try {
        try {
          await stream();
        } catch (error) {
          // A key that this tab made has ended, or somebody took it away: once more with another.
          const another = last === NO_ANSWER && isRefusedKey(error) ? await keys.replace(key) : null;
          if (another === null) throw error;
          key = another;
          await stream();
        }
        change({ state: 'done' });
      } catch (error) {
        if (signal.aborted) {
          change({ state: 'stopped' });
          const usage = last.id && !last.usage ? await chargeOfStopped(last.id, key) : null;
          if (usage) change({ answer: { ...last, usage } });
        } else change({ state: 'failed', error: error instanceof Error ? error : new Error(String(error)) });
      }
    },
    [],
  );

  /** Asks all models at once; done when the last answer is. */
  const send = useCallback(
    async (models: readonly string[], text: string, sampling: Sampling, key: string, keys: KeySource) => {
      const abort = new AbortController();
      running.current = abort;
      await Promise.all(models.map((model) => ask(model, text, sampling, key, keys, abort.signal)));
    },
    [ask],
  );

  const busy = Object.values(conversations).some((messages) => messages.at(-1)?.state === 'streaming');
  return { conversations, busy, send, stop, clear };
}

function isRefusedKey(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}
