import { afterEach, expect, test, vi } from 'vitest';
import { copyText } from './copy';

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

function button(): HTMLElement {
  const made = document.createElement('button');
  document.body.append(made);
  return made;
}

test('the clipboard is asked where there is one', async () => {
  const writeText = vi.fn(async () => undefined);
  vi.stubGlobal('navigator', { clipboard: { writeText } });
  expect(await copyText('sk-tg-v1-one', button())).toBe(true);
  expect(writeText).toHaveBeenCalledWith('sk-tg-v1-one');
});

test('without one a selection is copied, and what cannot be copied is told', async () => {
  vi.stubGlobal('navigator', {});
  const selected: string[] = [];
  let works = true;
  document.execCommand = () => {
    selected.push(document.querySelector('textarea')?.value ?? '');
    return works;
  };
  expect(await copyText('one', button())).toBe(true);
  works = false;
  expect(await copyText('two', button())).toBe(false);
  expect(selected).toEqual(['one', 'two']);
  expect(document.querySelector('textarea')).toBeNull();
});
