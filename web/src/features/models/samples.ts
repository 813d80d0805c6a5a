// How a model is asked, by interface and language. The address is this gateway's own.

import { firstRequest, type Language } from '../home/first_request';

/** Of a model that answers, by what programs speak; the first is what most do. */
export const INTERFACES = ['chat', 'responses', 'messages', 'legacy'] as const;
export type Interface = (typeof INTERFACES)[number] | 'embeddings';

export function sample(of: Interface, language: Language, origin: string, model: string): string {
  if (of === 'chat') return firstRequest(language, origin, model);
  if (language === 'curl') return curl(of, origin, model);
  return language === 'Python' ? python(of, origin, model) : typescript(of, origin, model);
}

type Other = Exclude<Interface, 'chat'>;

const PATHS: Record<Other, string> = {
  responses: 'responses',
  messages: 'messages',
  legacy: 'completions',
  embeddings: 'embeddings',
};

function curl(of: Other, origin: string, model: string): string {
  const asked: Record<Other, string> = {
    responses: '"input": "Say hello"',
    messages: '"max_tokens": 1024,\n    "messages": [{"role": "user", "content": "Say hello"}]',
    legacy: '"prompt": "Once upon a time",\n    "max_tokens": 50',
    embeddings: '"input": ["a text", "another text"]',
  };
  return `curl ${origin}/api/v1/${PATHS[of]} \\
  -H "Authorization: Bearer $TOLLGATE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    ${asked[of]}
  }'`;
}

function python(of: Other, origin: string, model: string): string {
  const isAnthropic = of === 'messages';
  const asked: Record<Other, string> = {
    responses: `answer = client.responses.create(
    model="${model}",
    input="Say hello",
)
print(answer.output_text)`,
    messages: `answer = client.messages.create(
    model="${model}",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Say hello"}],
)
print(answer.content[0].text)`,
    legacy: `answer = client.completions.create(
    model="${model}",
    prompt="Once upon a time",
    max_tokens=50,
)
print(answer.choices[0].text)`,
    embeddings: `answer = client.embeddings.create(
    model="${model}",
    input=["a text", "another text"],
)
for vector in answer.data:
    print(len(vector.embedding), vector.embedding[:3])`,
  };
  return `import os
from ${isAnthropic ? 'anthropic import Anthropic' : 'openai import OpenAI'}

client = ${isAnthropic ? 'Anthropic' : 'OpenAI'}(
    base_url="${origin}${isAnthropic ? '' : '/api/v1'}",
    api_key=os.environ["TOLLGATE_API_KEY"],
)

${asked[of]}`;
}

function typescript(of: Other, origin: string, model: string): string {
  const isAnthropic = of === 'messages';
  const asked: Record<Other, string> = {
    responses: `const answer = await client.responses.create({
  model: '${model}',
  input: 'Say hello',
});
console.log(answer.output_text);`,
    messages: `const answer = await client.messages.create({
  model: '${model}',
  max_tokens: 1024,
  messages: [{ role: 'user', content: 'Say hello' }],
});
console.log(answer.content);`,
    legacy: `const answer = await client.completions.create({
  model: '${model}',
  prompt: 'Once upon a time',
  max_tokens: 50,
});
console.log(answer.choices[0]?.text);`,
    embeddings: `const answer = await client.embeddings.create({
  model: '${model}',
  input: ['a text', 'another text'],
});
for (const { embedding } of answer.data) console.log(embedding.length, embedding.slice(0, 3));`,
  };
  return `import ${isAnthropic ? "Anthropic from '@anthropic-ai/sdk'" : "OpenAI from 'openai'"};

const client = new ${isAnthropic ? 'Anthropic' : 'OpenAI'}({
  baseURL: '${origin}${isAnthropic ? '' : '/api/v1'}',
  apiKey: process.env.TOLLGATE_API_KEY,
});

${asked[of]}`;
}
