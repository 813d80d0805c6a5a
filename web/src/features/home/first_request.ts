// The first request, in the languages people try it in. The address is this gateway's own.

export const LANGUAGES = ['curl', 'Python', 'TypeScript'] as const;
export type Language = (typeof LANGUAGES)[number];

export function firstRequest(language: Language, origin: string, model: string): string {
  switch (language) {
    case 'curl':
      return `curl ${origin}/api/v1/chat/completions \\
  -H "Authorization: Bearer $TOLLGATE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    "messages": [{"role": "user", "content": "Say hello"}]
  }'`;
    case 'Python':
      return `import os
from openai import OpenAI

client = OpenAI(
    base_url="${origin}/api/v1",
    api_key=os.environ["TOLLGATE_API_KEY"],
)

stream = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Say hello"}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="")`;
    case 'TypeScript':
      return `import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: '${origin}/api/v1',
  apiKey: process.env.TOLLGATE_API_KEY,
});

const stream = await client.chat.completions.create({
  model: '${model}',
  messages: [{ role: 'user', content: 'Say hello' }],
  stream: true,
});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
}`;
  }
}
