// The built executable with a folder of its own, the demo channel and a known administrator. TEST_SHAPE says how: `embedded`, which is
// one process on files, or `distributed`, a process for every role on private servers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const built = (name) => join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'debug', name);
const BINARY = process.env.TOLLGATE_BIN ?? built('tollgate');
const IDENTITY_PROVIDER = process.env.IDENTITY_PROVIDER_BIN ?? built('identity-provider');
const IS_DISTRIBUTED = process.env.TEST_SHAPE === 'distributed';
const STACK = join(ROOT, 'scripts', 'stack.py');
const READY_MS = 60_000;
/** Four servers and four roles, one after the other. */
const STACK_READY_MS = 120_000;
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

[[channels.models]]
id = "demo/embed"
context_length = 8192
output_modalities = ["embeddings"]
price = { prompt = "0.02", completion = "0" }
`;

/** Starts a gateway, with more of a configuration if wanted, and waits until it can take requests. */
export async function startGateway(more = '') {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-web-e2e-'));
  // PostgreSQL runs as somebody else.
  await chmod(folder, 0o755);
  const config = join(folder, 'tollgate.toml');
  await writeFile(config, `${CONFIG}\n${more}`);
  const start = IS_DISTRIBUTED ? startStack : startServe;
  const { child, output, started, end } = await start(folder, config);
  const stop = async () => {
    if (child.exitCode === null) {
      end();
      await once(child, 'exit');
    }
    if (process.env.KEEP_DATA !== '1') await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await started()), config, stop };
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${output()}`);
  }
}

/** A little believable traffic of several accounts, keys and apps, played by `tollgate demo-traffic`. */
export async function playTraffic({ url, config }) {
  const play = ['demo-traffic', '--url', url, '--requests', '120', '--over', '4s'];
  const stack = ['python3', [STACK, '--dir', join(dirname(config), 'stack'), '--config', config, 'run', ...play]];
  const serve = [BINARY, ['--config', config, ...play]];
  const surroundings = { TOLLGATE_DATA_DIR: join(dirname(config), 'data'), TOLLGATE_BIN: BINARY };
  const { child, output } = program(...(IS_DISTRIBUTED ? stack : serve), dirname(config), surroundings);
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`no traffic was played:\n${output()}`);
}

/** One process; it prints a key. */
async function startServe(folder, config) {
  const port = await freePort();
  const { child, output } = program(BINARY, ['--config', config, 'serve', '--new-key'], folder, {
    TOLLGATE_LISTEN: `127.0.0.1:${port}`,
    TOLLGATE_DATA_DIR: join(folder, 'data'),
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = async () => {
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    return answer?.ok && KEY.exec(output());
  };
  const started = async () => ({ url, key: (await until(answers, child, READY_MS))[0] });
  return { child, output, started, end: () => child.kill('SIGTERM') };
}

/** All roles and servers, which end with this process. The browser goes to the first of two gateways. */
async function startStack(folder, config) {
  const arguments_ = [STACK, '--dir', join(folder, 'stack'), '--config', config, 'up', '--until-stdin-ends'];
  const { child, output } = program('python3', arguments_, folder, { TOLLGATE_BIN: BINARY });
  const started = async () => {
    const welcome = () => /^Dashboard: (\S+) +Management key: (\S+)/m.exec(output());
    const [, url, file] = await until(welcome, child, STACK_READY_MS);
    const answer = await fetch(`${url}/api/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${(await readFile(file, 'utf8')).trim()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Default' }),
    });
    return { url, key: (await answer.json()).key };
  };
  return { child, output, started, end: () => child.stdin.end() };
}

/** A child and what it has printed. */
function program(command, arguments_, folder, variables) {
  const child = spawn(command, arguments_, {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      RUST_LOG: process.env.RUST_LOG ?? 'warn',
      ...variables,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => {
      output += bytes;
    });
  return { child, output: () => output };
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

/** What comes of a question once there is something. */
async function until(question, child, milliseconds) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`);
    const found = await question();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the gateway was not ready after ${milliseconds / 1000} s`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
