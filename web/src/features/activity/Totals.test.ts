import { expect, test } from 'vitest';
import type { Activity } from '../../api/app_types';
import { mostOf } from './Totals';

const groups: Activity['groups'] = Array.from({ length: 10 }, (_, place) => ({
  key: `m${place}`,
  label: `Model ${place}`,
  requests: 1,
  // Those with most tokens cost least.
  spend: `0.00000000${place}`,
  tokens: 100 - place,
}));

test('the groups with most of what is shown are drawn, the rest is one', () => {
  const by = (measure: 'spend' | 'tokens') => mostOf(groups, measure).drawn.map((group) => group.key);
  expect(by('spend')).toEqual(['m9', 'm8', 'm7', 'm6', 'm5', 'm4', 'm3', 'm2']);
  expect(by('tokens')).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7']);
  expect(mostOf(groups, 'spend').others.map((group) => group.key)).toEqual(['m1', 'm0']);
});
