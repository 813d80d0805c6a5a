// Models set aside to be compared; kept while the app is open.

import { create } from 'zustand';

/** Side by side on a wide screen. */
export const MOST_COMPARED = 4;

interface Comparison {
  ids: readonly string[];
  toggle: (id: string) => void;
  clear: () => void;
}

export const useComparison = create<Comparison>((set) => ({
  ids: [],
  toggle: (id) =>
    set(({ ids }) => ({
      ids: ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id].slice(-MOST_COMPARED),
    })),
  clear: () => set({ ids: [] }),
}));
