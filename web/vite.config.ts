import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const GATEWAY = process.env.TOLLGATE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist',
    assetsDir: 'assets',
    target: 'es2022',
    // A data: URL would need a wider content policy.
    assetsInlineLimit: 0,
    // Says which files a page needs before anything is clicked; scripts/size.mjs adds them up.
    manifest: true,
  },
  server: { proxy: { '/api': { target: GATEWAY, ws: true }, '/auth/': GATEWAY, '/openapi.json': GATEWAY } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/test_setup.ts'],
    testTimeout: 60_000,
  },
});
