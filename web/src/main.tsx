import '@mantine/core/styles.css';
import './fonts/inter.css';
import './app/app.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { startTranslation } from './i18n';

const root = document.getElementById('root');
if (root) {
  await startTranslation();
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
