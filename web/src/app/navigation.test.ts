import { expect, it } from 'vitest';
import type { Role, Session } from '../api/app_types';
import { viewerOf } from '../features/session/store';
import { isActive, navigationFor } from './navigation';

function session(role: Role, is_platform_admin = false): Session {
  return {
    user: { id: 'u', email: 'u@example.com', name: 'U', is_platform_admin, has_password: true, google_linked: false },
    accounts: [
      { id: 'a', name: 'A', role, status: 'active' },
      { id: 'b', name: 'B', role: 'owner', status: 'active' },
    ],
    preferences: {
      theme: 'system',
      language: 'en',
      default_model: null,
      routing_strategy: 'weighted_random',
      privacy: { data_collection: 'allow', zdr: false },
    },
    csrf_token: 't',
    expires_at: '2026-11-25T00:00:00Z',
  };
}

const links = (...asked: Parameters<typeof viewerOf>) =>
  navigationFor(viewerOf(...asked)).flatMap((group) => group.items.map((item) => item.to));

it('leads visitors to what is public', () => {
  expect(links(null, null)).not.toContain('/settings');
  expect(links(null, null)).toContain('/models');
});

it('leads a role to nothing that it would be refused', () => {
  for (const role of ['member', 'analyst'] as const) expect(links(session(role), 'a')).not.toContain('/finance');
  for (const role of ['finance', 'analyst'] as const) expect(links(session(role), 'a')).not.toContain('/keys');
  expect(links(session('owner'), 'a')).not.toContain('/admin');
  expect(links(session('analyst', true), 'a')).not.toContain('/finance');
  expect(links(session('analyst', true), 'a')).toContain('/finance/provider-costs');
});

it('works in the account that was chosen, or in the first when that is gone', () => {
  expect(viewerOf(session('analyst'), 'b')?.account?.role).toBe('owner');
  expect(viewerOf(session('analyst'), 'gone')?.account?.role).toBe('analyst');
});

it('marks a page for the addresses below it, and home for itself only', () => {
  expect(isActive('/models', '/models/acme/one')).toBe(true);
  expect(isActive('/models', '/modelsx')).toBe(false);
  expect(isActive('/', '/models')).toBe(false);
});
