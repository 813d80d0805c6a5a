import { MantineProvider } from '@mantine/core';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { Composer } from './Composer';

afterEach(cleanup);

function show(onSend: (text: string) => Promise<boolean>) {
  render(
    <MantineProvider>
      <Composer busy={false} disabled={false} onSend={onSend} onStop={() => {}} />
    </MantineProvider>,
  );
  const field = screen.getByRole<HTMLTextAreaElement>('textbox');
  fireEvent.change(field, { target: { value: 'Hi' } });
  return field;
}

it('keeps the question until it was taken', async () => {
  const sent = vi.fn().mockResolvedValueOnce(false).mockResolvedValueOnce(true);
  const field = show(sent);
  fireEvent.keyDown(field, { key: 'Enter' });
  await sent.mock.results[0]?.value;
  expect(field.value).toBe('Hi');
  fireEvent.keyDown(field, { key: 'Enter' });
  await waitFor(() => expect(field.value).toBe(''));
});

it('does not send with the Enter that ends a composition, in Safari neither', () => {
  const sent = vi.fn(async () => true);
  const field = show(sent);
  fireEvent.keyDown(field, { key: 'Enter', keyCode: 229 });
  fireEvent.keyDown(field, { key: 'Enter', isComposing: true });
  expect(sent).not.toHaveBeenCalled();
});
