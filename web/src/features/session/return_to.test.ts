import { expect, it } from 'vitest';
import { safeReturn } from './return_to';

it('returns to pages of this app only', () => {
  expect(safeReturn('/credits?kind=topup')).toBe('/credits?kind=topup');
  for (const elsewhere of [
    undefined,
    '',
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    '/sign-in?return_to=/',
  ])
    expect(safeReturn(elsewhere), elsewhere).toBe('/');
});
