// A text field whose words stand in the address. The field is its own: the address follows when typing pauses, because
// writing it with every letter takes away letters, the caret and what an input method has not finished.

import { type ChangeEvent, type CompositionEvent, useCallback, useEffect, useRef, useState } from 'react';

/** How long nothing is typed before the address follows. */
export const WRITTEN_AFTER_MS = 300;

export interface AddressText {
  /** For the `input`. */
  field: {
    value: string;
    onChange: (event: ChangeEvent<HTMLInputElement>) => void;
    onCompositionStart: () => void;
    onCompositionEnd: (event: CompositionEvent<HTMLInputElement>) => void;
  };
  /** Empties the field and the address at once. */
  clear: () => void;
  /** Goes back to what stands in the address: for whoever is about to change that. */
  drop: () => void;
}

/** `inAddress` is what stands there now, empty when nothing does; `write` changes it. */
export function useAddressText(inAddress: string, write: (text: string) => void): AddressText {
  const [text, setText] = useState(inAddress);
  const known = useRef(inAddress);
  const composing = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(write);
  useEffect(() => {
    latest.current = write;
  });

  // The echo of what was written is no news: more may have been typed since.
  useEffect(() => {
    if (inAddress === known.current) return;
    known.current = inAddress;
    clearTimeout(timer.current);
    setText(inAddress);
  }, [inAddress]);

  // Whoever has left the page wants nothing written into the next one's address.
  useEffect(() => () => clearTimeout(timer.current), []);

  const writeNow = useCallback((next: string) => {
    clearTimeout(timer.current);
    if (next === known.current) return;
    known.current = next;
    latest.current(next);
  }, []);
  const writeSoon = (next: string) => {
    clearTimeout(timer.current);
    if (!composing.current) timer.current = setTimeout(() => writeNow(next), WRITTEN_AFTER_MS);
  };

  return {
    field: {
      value: text,
      onChange: (event) => {
        setText(event.currentTarget.value);
        writeSoon(event.currentTarget.value);
      },
      onCompositionStart: () => {
        composing.current = true;
        clearTimeout(timer.current);
      },
      onCompositionEnd: (event) => {
        composing.current = false;
        writeSoon(event.currentTarget.value);
      },
    },
    clear: () => {
      setText('');
      writeNow('');
    },
    drop: () => {
      clearTimeout(timer.current);
      setText(known.current);
    },
  };
}
