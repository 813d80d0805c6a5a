import { expect, it } from 'vitest';
import { dataLines } from './sse';

function stream(pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === 'string' ? encoder.encode(piece) : piece);
      controller.close();
    },
  });
}

async function all(pieces: (string | Uint8Array)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of dataLines(stream(pieces))) lines.push(line);
  return lines;
}

it('reads events however the bytes were cut', async () => {
  const text = ': OPENROUTER PROCESSING\n\ndata: {"a":"é"}\r\n\r\ndata: 2\n\ndata: [DONE]\n\n';
  const expected = ['{"a":"é"}', '2', '[DONE]'];
  expect(await all([text])).toEqual(expected);
  expect(await all([...new TextEncoder().encode(text)].map((byte) => new Uint8Array([byte])))).toEqual(expected);
});

it('gives the last event even without an empty line behind it', async () => {
  expect(await all(['data: 1\n\ndata: 2'])).toEqual(['1', '2']);
});
