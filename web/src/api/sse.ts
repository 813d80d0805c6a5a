// Server-sent events from a response body: the text of every `data:` field, comments left out.

export async function* dataLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = '';
  try {
    while (true) {
      const { done, value } = await reader.read();
      buffer += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A CR at the very end may be the first half of a CRLF.
      const complete = done ? buffer.length : buffer.endsWith('\r') ? buffer.length - 1 : buffer.length;
      const lines = buffer.slice(0, complete).split(/\r\n|\n|\r/);
      buffer = (done ? '' : (lines.pop() ?? '')) + buffer.slice(complete);
      for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trimStart();
      if (done) return;
    }
  } finally {
    // Whoever stops listening stops the request too.
    await reader.cancel().catch(() => {});
  }
}
