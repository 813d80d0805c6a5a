// A management key of the platform, pasted for what no session may ask. **It is kept in memory only**: whoever has it may
// credit any account, so it outlives neither the page nor the session.

import { create } from 'zustand';

interface ManagementKeyStore {
  /** Empty when there is none. */
  key: string;
  use: (key: string) => void;
  forget: () => void;
}

export const useManagementKey = create<ManagementKeyStore>((set) => ({
  key: '',
  use: (key) => set({ key }),
  forget: () => set({ key: '' }),
}));
