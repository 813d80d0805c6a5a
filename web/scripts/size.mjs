// Fails when a first visit would load more JavaScript than promised: the entry and everything it imports statically.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_KIB = 200;

const manifest = JSON.parse(readFileSync('dist/.vite/manifest.json', 'utf8'));
const needed = new Set();

function add(name) {
  const chunk = manifest[name];
  if (needed.has(chunk.file)) return;
  needed.add(chunk.file);
  for (const inner of chunk.imports ?? []) add(inner);
}

for (const [name, chunk] of Object.entries(manifest)) if (chunk.isEntry) add(name);
// The first page is a chunk of its own, loaded at once.
for (const name of Object.keys(manifest)) if (name.includes('features/home/')) add(name);
// So are the texts of one language.
add('src/i18n/en.json');

const scripts = [...needed].filter((file) => file.endsWith('.js'));
const kib = scripts.reduce((sum, file) => sum + gzipSync(readFileSync(`dist/${file}`)).length, 0) / 1024;
console.log(`first visit: ${scripts.length} scripts, ${kib.toFixed(1)} KiB gzip (limit ${LIMIT_KIB})`);
if (kib > LIMIT_KIB) process.exit(1);
