import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dayOf, lastSecondOf } from './days';

describe('the last day of something', () => {
  beforeAll(() => {
    vi.stubEnv('TZ', 'Asia/Shanghai');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });

  it('is the whole of it where the reader is, and is read back as the same day', () => {
    for (const day of ['2026-12-01', '2026-12-31', '2028-02-29']) expect(dayOf(lastSecondOf(day) ?? '')).toBe(day);
    expect(lastSecondOf('2026-12-01')).toBe('2026-12-01T15:59:59.000Z');
    expect(lastSecondOf('')).toBeUndefined();
  });
});
