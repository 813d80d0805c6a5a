// Short messages about what was just done, with a way back where there is one.

import { create } from 'zustand';

export interface Toast {
  id: number;
  text: string;
  tone: 'done' | 'failed';
  undo?: () => void;
}

interface Toasts {
  toasts: Toast[];
  show: (toast: Omit<Toast, 'id'>) => void;
  dismiss: (id: number) => void;
}

const MOST_AT_ONCE = 3;
const SHOWN_MS = 8_000;
let nextId = 1;

export const useToasts = create<Toasts>((set, get) => ({
  toasts: [],
  show: (toast) => {
    const id = nextId++;
    set(({ toasts }) => ({ toasts: [...toasts, { ...toast, id }].slice(-MOST_AT_ONCE) }));
    setTimeout(() => get().dismiss(id), SHOWN_MS);
  },
  dismiss: (id) => set(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) })),
}));
