import { act, cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { useAddressText, WRITTEN_AFTER_MS } from './use_address_text';

let written: string[];
let goTo: (text: string) => void;

function Field() {
  const [address, setAddress] = useState('');
  goTo = setAddress;
  const { field, clear } = useAddressText(address, (text) => {
    written.push(text);
    // The router says a moment later what stands in the address.
    setTimeout(() => setAddress(text), 50);
  });
  return (
    <>
      <input aria-label="words" {...field} />
      <button type="button" onClick={clear}>
        clear
      </button>
    </>
  );
}

const input = () => screen.getByLabelText<HTMLInputElement>('words');
const type = (value: string) => fireEvent.change(input(), { target: { value } });
const wait = (ms: number) => act(() => vi.advanceTimersByTime(ms));

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  render(<Field />);
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

it('loses no letter typed while the address is being written', () => {
  type('a');
  wait(WRITTEN_AFTER_MS);
  type('ab');
  wait(60);
  expect(input().value).toBe('ab');
  wait(WRITTEN_AFTER_MS);
  expect(written).toEqual(['a', 'ab']);
});

it('writes nothing while an input method composes', () => {
  fireEvent.compositionStart(input());
  type('ni');
  wait(2 * WRITTEN_AFTER_MS);
  expect(written).toEqual([]);
  type('你');
  fireEvent.compositionEnd(input());
  wait(WRITTEN_AFTER_MS);
  expect(written).toEqual(['你']);
});

it('follows the address when somebody else changes it', () => {
  type('old');
  wait(WRITTEN_AFTER_MS + 60);
  type('older');
  act(() => goTo('new'));
  expect(input().value).toBe('new');
  wait(WRITTEN_AFTER_MS);
  expect(written).toEqual(['old']);
});

it('is cleared at once, and writes nothing once it is gone', () => {
  type('old');
  wait(WRITTEN_AFTER_MS + 60);
  fireEvent.click(screen.getByText('clear'));
  expect(written).toEqual(['old', '']);
  type('late');
  cleanup();
  wait(WRITTEN_AFTER_MS);
  expect(written).toEqual(['old', '']);
});
