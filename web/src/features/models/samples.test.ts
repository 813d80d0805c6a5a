import { expect, it } from 'vitest';
import { LANGUAGES } from '../home/first_request';
import { INTERFACES, sample } from './samples';

const ORIGIN = 'https://gateway.example';

it('asks each interface at its own address, in every language', () => {
  const curl = (of: Parameters<typeof sample>[0]) => sample(of, 'curl', ORIGIN, 'acme/one');
  expect(curl('chat')).toContain(`${ORIGIN}/api/v1/chat/completions `);
  expect(curl('responses')).toContain(`${ORIGIN}/api/v1/responses `);
  expect(curl('messages')).toContain(`${ORIGIN}/api/v1/messages `);
  expect(curl('legacy')).toContain(`${ORIGIN}/api/v1/completions `);
  expect(curl('embeddings')).toContain(`${ORIGIN}/api/v1/embeddings `);
  for (const of of [...INTERFACES, 'embeddings'] as const)
    for (const language of LANGUAGES) expect(sample(of, language, ORIGIN, 'acme/one'), of).toContain('acme/one');
});

it('sends JSON that is JSON', () => {
  for (const of of [...INTERFACES, 'embeddings'] as const) {
    const body = /-d '([\s\S]+)'$/.exec(sample(of, 'curl', ORIGIN, 'acme/one'))?.[1] ?? '';
    expect(JSON.parse(body).model, of).toBe('acme/one');
  }
});

it('leaves the path to the client of Anthropic, which adds its own', () => {
  expect(sample('messages', 'Python', ORIGIN, 'a/b')).toContain(`base_url="${ORIGIN}",`);
  expect(sample('legacy', 'Python', ORIGIN, 'a/b')).toContain(`base_url="${ORIGIN}/api/v1",`);
});
