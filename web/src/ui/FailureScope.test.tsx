import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NetworkError } from '../api/client';
import { loadPageTexts, startTranslation } from '../i18n';
import { FailureScope } from './FailureScope';
import { QueryView } from './QueryView';

function Part({ name, ask }: { name: string; ask: () => Promise<string> }) {
  const query = useQuery({ queryKey: [name], queryFn: ask, retry: false });
  return <QueryView query={query}>{(text) => <p>{text}</p>}</QueryView>;
}

function show(...parts: [string, () => Promise<string>][]) {
  const drawn = parts.map(([name, ask]) => <Part key={name} name={name} ask={ask} />);
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <FailureScope>{drawn}</FailureScope>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const away = () => Promise.reject(new NetworkError(null));

beforeAll(async () => {
  await startTranslation();
  await loadPageTexts();
});
afterEach(cleanup);

describe('a page of which several parts failed', () => {
  it('says so once, and each reason once', async () => {
    show(['one', away], ['two', away], ['three', () => Promise.reject(new Error('closed for today'))]);
    expect(await screen.findByText('closed for today')).toBeDefined();
    expect(screen.getAllByRole('alert')).toHaveLength(1);
    expect(screen.getAllByText(/The gateway did not answer/)).toHaveLength(1);
    expect(screen.getAllByText('Could not be loaded')).toHaveLength(3);
  });

  it('asks for all of them again at once, and is calm when they came', async () => {
    let isAway = true;
    const ask = (text: string) => () => (isAway ? away() : Promise.resolve(text));
    show(['one', ask('first')], ['two', ask('second')]);
    const retry = await screen.findByRole('button', { name: 'Try again' });
    isAway = false;
    await userEvent.click(retry);
    expect(await screen.findByText('first')).toBeDefined();
    expect(await screen.findByText('second')).toBeDefined();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('shows the parts that came', async () => {
    show(['one', away], ['two', () => Promise.resolve('second')]);
    expect(await screen.findByText('second')).toBeDefined();
    expect(await screen.findByText('Some of this page could not be loaded')).toBeDefined();
  });
});
