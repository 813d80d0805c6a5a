import { beforeEach, describe, expect, it } from 'vitest';
import { useChannelTests } from './channel_tests';

const test = (ok: boolean) => ({
  ok,
  channel: 'demo',
  model: 'demo/quick',
  upstream: 'quick',
  latency_ms: 120,
  ...(ok ? {} : { error: { message: 'refused', type: 'authentication' } }),
});
const keep = (channel: string, ok: boolean, at = '2026-11-28T10:00:00.000Z') =>
  useChannelTests.getState().keep(channel, test(ok) as never, new Date(at));
const results = () => useChannelTests.getState().results;

describe('the last test of a channel', () => {
  beforeEach(() => useChannelTests.setState({ results: {} }));

  it('is kept with its time, how it went and how long it took', () => {
    keep('chan_1', true);
    expect(results().chan_1).toEqual({
      at: '2026-11-28T10:00:00.000Z',
      ok: true,
      latency_ms: 120,
      model: 'demo/quick',
      error: null,
    });
  });

  it('takes the place of the one before', () => {
    keep('chan_1', true);
    keep('chan_1', false, '2026-11-28T11:00:00.000Z');
    expect(results().chan_1).toMatchObject({ ok: false, error: 'refused', at: '2026-11-28T11:00:00.000Z' });
  });

  it('is still there after a reload', () => {
    keep('chan_1', true);
    expect(localStorage.getItem('tollgate.channel-tests')).toContain('chan_1');
  });

  it('goes when a hundred channels were tested after it', () => {
    keep('first', true);
    for (let place = 0; place < 100; place += 1) keep(`chan_${place}`, true);
    expect(Object.keys(results())).toHaveLength(100);
    expect(results().first).toBeUndefined();
  });
});
