import { expect, it } from 'vitest';
import type { Preferences } from '../../api/app_types';
import { withPending } from './pending_preferences';

const SAVED: Preferences = {
  theme: 'system',
  language: 'en',
  default_model: null,
  routing_strategy: 'weighted_random',
  privacy: { data_collection: 'allow', zdr: false },
};

it('shows two switches turned one after the other as both turned', () => {
  const changes = [{ privacy: { data_collection: 'deny' } }, { privacy: { zdr: true } }, { theme: 'dark' }] as const;
  expect(withPending(SAVED, changes)).toEqual({
    ...SAVED,
    theme: 'dark',
    privacy: { data_collection: 'deny', zdr: true },
  });
  expect(withPending(SAVED, [])).toEqual(SAVED);
});
