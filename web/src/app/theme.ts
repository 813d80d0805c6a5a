import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';

const pine: MantineColorsTuple = [
  '#e8f7f2',
  '#d2ece3',
  '#a4d9c7',
  '#72c5a9',
  '#4ab490',
  '#30aa80',
  '#1f9f75',
  '#0b7a5e',
  '#07644c',
  '#034d3a',
];

const ink: MantineColorsTuple = [
  '#d5d9de',
  '#b4bac2',
  '#8d95a0',
  '#6b7480',
  '#414a55',
  '#343c46',
  '#262d36',
  '#1a2028',
  '#13181f',
  '#0c1015',
];

export const theme = createTheme({
  primaryColor: 'pine',
  primaryShade: 7,
  autoContrast: true,
  colors: { pine, dark: ink },
  fontFamily:
    'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
  headings: {
    fontWeight: '640',
    sizes: {
      h1: { fontSize: '1.75rem', lineHeight: '1.25' },
      h2: { fontSize: '1.375rem', lineHeight: '1.3' },
      h3: { fontSize: '1.125rem', lineHeight: '1.4' },
      h4: { fontSize: '1rem', lineHeight: '1.45' },
    },
  },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
});

/** Where the library's own choice is too faint to read or too loud. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-text': '#17211d',
    '--mantine-color-dimmed': '#59646b',
    '--mantine-color-default-border': '#d8dfdd',
    '--mantine-color-placeholder': '#6a747e',
    '--mantine-color-red-light': '#fdf0ef',
    '--mantine-color-yellow-light-color': '#7a4b00',
    '--mantine-color-yellow-text': '#7a4b00',
  },
  dark: {
    '--mantine-color-text': '#e3e8eb',
    '--mantine-color-dimmed': '#9aa3ad',
    '--mantine-color-default-border': '#333c46',
    '--mantine-color-placeholder': '#838c97',
    '--mantine-color-pine-light': 'rgb(31 159 117 / 18%)',
    '--mantine-color-pine-light-hover': 'rgb(31 159 117 / 26%)',
    '--mantine-color-pine-light-color': '#8fdcc0',
    '--mantine-color-red-light': 'rgb(224 49 49 / 14%)',
  },
});
