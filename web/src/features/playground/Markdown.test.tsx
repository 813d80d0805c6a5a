import { MantineProvider } from '@mantine/core';
import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import Markdown from './Markdown';

const shown = (text: string) =>
  render(
    <MantineProvider>
      <Markdown text={text} />
    </MantineProvider>,
  ).container;

it('draws headings, lists and tables, below the headings of the page', () => {
  const drawn = shown('# Ledger\n\n- debit\n- credit\n\n| a | b |\n| - | - |\n| 1 | 2 |');
  expect(screen.getByRole('heading', { name: 'Ledger', level: 3 })).toBeTruthy();
  expect(drawn.querySelectorAll('li').length).toBe(2);
  expect(drawn.querySelector('td')?.textContent).toBe('1');
});

it('sets code apart exactly as it was written, also while its end has not come', () => {
  const drawn = shown('So:\n\n```rust\nfn main() {\n    println!("<b>");\n}\n');
  expect(drawn.querySelector('pre')?.textContent).toBe('fn main() {\n    println!("<b>");\n}');
});

it('loads nothing and runs nothing that a model writes', () => {
  const drawn = shown(
    '<img src=x onerror=alert(1)> ![logo](https://elsewhere.example/pixel) [go](javascript:alert(1))',
  );
  expect(drawn.querySelector('img')).toBeNull();
  expect(drawn.querySelector('a[href^="javascript"]')).toBeNull();
  expect(screen.getByText('logo').getAttribute('href')).toBe('https://elsewhere.example/pixel');
});
