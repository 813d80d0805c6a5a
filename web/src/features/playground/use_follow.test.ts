import { expect, it } from 'vitest';
import { isFollowing } from './use_follow';

it('follows near the end, also when the page has grown faster than it scrolled', () => {
  expect(isFollowing(false, { from: 0, top: 500, left: 80 })).toBe(true);
  expect(isFollowing(true, { from: 400, top: 500, left: 300 })).toBe(true);
});

it('lets go of whoever scrolls up, until they are back at the end', () => {
  expect(isFollowing(true, { from: 900, top: 600, left: 400 })).toBe(false);
  expect(isFollowing(false, { from: 600, top: 700, left: 300 })).toBe(false);
  expect(isFollowing(false, { from: 700, top: 990, left: 10 })).toBe(true);
});
