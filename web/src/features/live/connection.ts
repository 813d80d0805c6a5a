// One WebSocket to the gateway: what it says, in order; comes back by itself, and says when it is not there.

import type { components } from '../../api/openapi';

export type LiveMessage = components['schemas']['LiveMessage'];

export type LiveStatus = 'connecting' | 'live' | 'lost';

interface Listener {
  onStatus: (status: LiveStatus) => void;
  onMessage: (message: LiveMessage) => void;
  /** Messages may have been missed: what is on the page must be asked for again. */
  onGap: () => void;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** The server pings more often than this; a connection that is silent for longer is taken for dead. */
const SILENCE_MS = 45_000;

/** Connects and stays connected until the returned function is called. Nothing is ever sent: the address says it all. */
export function connectLive(url: string, account: string, listener: Listener): () => void {
  let socket: WebSocket | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let delay = FIRST_RETRY_MS;
  let seen: number | null = null;
  let closed = false;

  const heard = (from: WebSocket) => {
    clearTimeout(silence);
    silence = setTimeout(() => from.close(), SILENCE_MS);
  };

  const open = () => {
    listener.onStatus('connecting');
    const query = new URLSearchParams({ account, ...(seen === null ? {} : { resume: String(seen) }) });
    const current = new WebSocket(`${url}?${query}`);
    socket = current;
    current.onopen = () => heard(current);
    current.onmessage = (event) => {
      heard(current);
      const message = read(event.data);
      if (message === null) return;
      const isFirst = seen === null;
      seen = message.seq;
      if (message.kind === 'hello') {
        delay = FIRST_RETRY_MS;
        listener.onStatus('live');
        // The page may have asked before anybody listened here.
        if (isFirst) listener.onGap();
      } else if (message.kind === 'reset') {
        // What happened while nobody listened is not all known any more.
        listener.onGap();
      } else if (message.kind !== 'ping') {
        listener.onMessage(message);
      }
    };
    current.onclose = () => {
      clearTimeout(silence);
      if (closed || socket !== current) return;
      listener.onStatus('lost');
      retry = setTimeout(open, delay * (0.75 + Math.random() / 2));
      delay = Math.min(delay * 2, LONGEST_RETRY_MS);
    };
  };

  open();
  return () => {
    closed = true;
    clearTimeout(retry);
    clearTimeout(silence);
    socket?.close();
  };
}

function read(data: unknown): LiveMessage | null {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.kind === 'string' && typeof message.seq === 'number' ? message : null;
  } catch {
    return null;
  }
}
