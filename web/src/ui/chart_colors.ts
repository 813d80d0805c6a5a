/** Apart from each other in both themes, and for most who see colours differently; the last is “the rest”. */
const COLORS = [
  '#12a07a',
  '#5b83f0',
  '#ec9142',
  '#9d76e3',
  '#33b3c8',
  '#e26e9f',
  '#a5b53a',
  '#d9ad35',
  '#6d8fb8',
  '#9aa5ad',
] as const;

export function chartColor(place: number): string {
  return COLORS[Math.min(place, COLORS.length - 1)] ?? COLORS[9];
}
