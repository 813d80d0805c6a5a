// Parts of the app whose side of the gateway is there. Nothing leads to the others.

export const READY = {
  account: true,
  activity: true,
  statistics: true,
  finance: true,
  admin: true,
  live: true,
} as const satisfies Record<string, boolean>;
