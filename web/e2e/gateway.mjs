// The built executable with a data folder of its own, the demo channel and a known administrator.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const built = (name) => join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'debug', name);
const BINARY = process.env.TOLLGATE_BIN ?? built('tollgate');
const IDENTITY_PROVIDER = process.env.IDENTITY_PROVIDER_BIN ?? built('identity-provider');
const READY_MS = 60_000;
const KEY = /sk-tg-v1-[0-9a-zA-Z]{64}/;

export const ADMIN = { email: 'admin@example.com', password: 'correct horse battery staple' };

const CONFIG = `
[bootstrap]
account_name = "Acme"
credit = "25.00"
admin_email = "${ADMIN.email}"
admin_password = "${ADMIN.password}"

[[channels]]
name = "demo"
provider = "demo"

[[channels.models]]
id = "demo/quick"
context_length = 32000
price = { prompt = "0.50", completion = "1.50" }

[[channels.models]]
id = "demo/thorough"
context_length = 200000
max_completion_tokens = 16384
price = { prompt = "3.00", completion = "15.00", cache_read = "0.30" }

[[channels.models]]
id = "demo/free"
context_length = 8192
price = "free"
`;

/** Starts a gateway, with more of a configuration if wanted, and waits until it can take requests. */
export async function startGateway(more = '') {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-web-e2e-'));
  const port = await freePort();
  const config = join(folder, 'tollgate.toml');
  await writeFile(config, `${CONFIG}\n${more}`);
  const child = spawn(BINARY, ['--config', config, 'serve', '--new-key'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TOLLGATE_LISTEN: `127.0.0.1:${port}`,
      TOLLGATE_DATA_DIR: join(folder, 'data'),
      RUST_LOG: process.env.RUST_LOG ?? 'warn',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => {
      output += bytes;
    });
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    if (process.env.KEEP_DATA !== '1') await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(url, child, () => output);
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${output}`);
  }
  const key = KEY.exec(output)?.[0];
  return { url, key, config, folder, binary: BINARY, output: () => output, stop };
}

/** The OpenID provider of tools/identity-provider: whoever comes is the person set last. */
export async function startIdentityProvider() {
  const [client_id, client_secret] = ['browser-tests', 'the secret of the browser tests'];
  const child = spawn(IDENTITY_PROVIDER, ['--client-id', client_id, '--client-secret', client_secret], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const issuer = line.toString().trim();
  const post = (path, body) =>
    fetch(`${issuer}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return {
    issuer,
    client_id,
    client_secret,
    person: (person) => post('/person', person),
    misbehave: (how) => post('/misbehave', how),
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** It answers, and has printed its key. */
async function ready(url, child, output) {
  const end = Date.now() + READY_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok && KEY.test(output())) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the gateway was not ready after ${READY_MS / 1000} s`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
