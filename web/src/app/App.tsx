import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { retryUnlessRefused } from '../api/queries';
import { createAppRouter } from './router';
import { cssVariables, theme } from './theme';

export function App() {
  const [router] = useState(() => createAppRouter());
  return (
    <Providers>
      <RouterProvider router={router} />
    </Providers>
  );
}

/** What every page stands on: the theme and the query cache. */
export function Providers({ children }: { children: ReactNode }) {
  const [queries] = useState(() => new QueryClient({ defaultOptions: { queries: { retry: retryUnlessRefused } } }));
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </MantineProvider>
  );
}
