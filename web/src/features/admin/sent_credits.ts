// Credits that were sent and of which nobody knows yet whether they were booked. Sent again they go with the key they
// had, so that the gateway books them once; kept outside the dialog, which may be closed and opened in between.

import { create } from 'zustand';
import { ApiError } from '../../api/client';

export const CREDIT_KINDS = ['topup', 'grant', 'refund', 'adjustment'] as const;

export interface CreditDraft {
  kind: (typeof CREDIT_KINDS)[number];
  amount: string;
  reason: string;
}

export interface SentCredit extends CreditDraft {
  idempotencyKey: string;
}

/** By who sends and which account is credited. */
export const useSentCredits = create<{ all: Readonly<Record<string, SentCredit>> }>(() => ({ all: {} }));

/** What to send: what was sent before if that is not settled, else the draft under a key of its own. */
export function toSend(place: string, draft: CreditDraft): SentCredit {
  const before = useSentCredits.getState().all[place];
  if (before) return before;
  const sent = { ...draft, idempotencyKey: `web-${crypto.getRandomValues(new Uint32Array(4)).join('-')}` };
  useSentCredits.setState(({ all }) => ({ all: { ...all, [place]: sent } }));
  return sent;
}

/** It is known whether it was booked: the next is another. */
export function settleCredit(place: string): void {
  useSentCredits.setState(({ all: { [place]: _, ...all } }) => ({ all }));
}

/** Refused before the gateway looked at the credit: says nothing of how it went when it was sent before. */
const AT_THE_DOOR = [401, 403, 408, 429];

/** Whether an error leaves open if the credit was booked. */
export function isUnsettled(error: Error, isRepeated: boolean): boolean {
  if (!(error instanceof ApiError) || error.status >= 500) return true;
  return isRepeated && AT_THE_DOOR.includes(error.status);
}
