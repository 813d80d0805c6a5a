import { QueryClient } from '@tanstack/react-query';
import { afterEach, expect, it, vi } from 'vitest';
import { endpointsQuery } from './queries';

afterEach(() => vi.unstubAllGlobals());

/** Answers the question with the speeds with a status, and the public one always. */
function gateway(status: number): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    const known = !path.startsWith('/api/app') || status === 200;
    const body = known ? `{"data":{"endpoints":[{"name":"${path}"}]}}` : `{"error":{"code":${status},"message":"no"}}`;
    return new Response(body, { status: known ? 200 : status });
  });
  return asked;
}

const ask = () => new QueryClient().fetchQuery({ ...endpointsQuery('acme/one'), retry: false });

it('asks for the endpoints with their speeds', async () => {
  const asked = gateway(200);
  expect(await ask()).toEqual([{ name: '/api/app/models/acme/one/endpoints' }]);
  expect(asked).toHaveLength(1);
});

it('shows whoever may not see the speeds what everybody may see', async () => {
  for (const status of [401, 403, 404]) {
    gateway(status);
    expect(await ask()).toEqual([{ name: '/api/v1/models/acme/one/endpoints' }]);
  }
});

it('does not take a gateway that is busy for one that tells no speeds', async () => {
  gateway(429);
  await expect(ask()).rejects.toThrow('no');
});
