// What was asked and answered, outside the page: who goes to look at a request finds the conversation as it was.

import { create } from 'zustand';
import type { Answer, Turn } from './answer';

export interface Message extends Turn {
  id: number;
  answer?: Answer;
  error?: Error;
  state: 'done' | 'streaming' | 'stopped' | 'failed';
}

export type Conversations = Readonly<Record<string, readonly Message[]>>;

export const useConversationStore = create<{ all: Conversations }>(() => ({ all: {} }));

export function changeConversations(change: (all: Conversations) => Conversations): void {
  useConversationStore.setState(({ all }) => ({ all: change(all) }));
}

/** What one person asked is not for the next. */
export function forgetConversations(): void {
  changeConversations(() => ({}));
}

let lastId = 0;
export function nextMessageId(): number {
  lastId += 1;
  return lastId;
}
