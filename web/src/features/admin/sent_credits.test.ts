import { beforeEach, expect, it } from 'vitest';
import { ApiError, NetworkError } from '../../api/client';
import { isUnsettled, settleCredit, toSend, useSentCredits } from './sent_credits';

const draft = { kind: 'topup', amount: '5', reason: 'paid' } as const;
const refused = (status: number) => new ApiError(status, 'unknown', '');
beforeEach(() => useSentCredits.setState({ all: {} }));

it('sends again what was sent, under the key it had, until it is settled', () => {
  const first = toSend('u a', draft);
  expect(toSend('u a', { ...draft, amount: '7' })).toBe(first);
  expect(toSend('u b', draft).idempotencyKey).not.toBe(first.idempotencyKey);
  settleCredit('u a');
  const next = toSend('u a', { ...draft, amount: '7' });
  expect(next.amount).toBe('7');
  expect(next.idempotencyKey).not.toBe(first.idempotencyKey);
});

it('knows which errors leave the outcome open', () => {
  for (const error of [new NetworkError(null), refused(500), refused(503), new TypeError('cut')])
    expect(isUnsettled(error, false)).toBe(true);
  for (const status of [400, 401, 404, 409, 422, 429]) expect(isUnsettled(refused(status), false)).toBe(false);
  // The session ended in between: the credit sent before it may well be booked.
  expect(isUnsettled(refused(401), true)).toBe(true);
  expect(isUnsettled(refused(409), true)).toBe(false);
});
