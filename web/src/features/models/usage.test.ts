import { expect, it } from 'vitest';
import { byDay } from './usage';

it('adds up the hours of a day', () => {
  const points = [
    { at: '2026-11-23T22:00:00Z', value: 3 },
    { at: '2026-11-23T23:00:00Z', value: null },
    { at: '2026-11-24T00:00:00Z', value: 4 },
    { at: '2026-11-24T13:00:00Z', value: 5 },
  ];
  expect(byDay({ interval: 'hour', points }, 7)).toEqual({
    interval: 'day',
    points: [
      { at: '2026-11-23T00:00:00Z', value: 3 },
      { at: '2026-11-24T00:00:00Z', value: 9 },
    ],
  });
});

it('leaves out the day that is not whole', () => {
  const points = [
    { at: '2026-11-23T22:00:00Z', value: 3 },
    { at: '2026-11-24T13:00:00Z', value: 5 },
  ];
  expect(byDay({ interval: 'hour', points }, 1).points).toEqual([{ at: '2026-11-24T00:00:00Z', value: 5 }]);
});
