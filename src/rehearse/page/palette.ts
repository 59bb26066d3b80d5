/**
 * Colours by role. Text has at least 4.5 to 1 against what it stands on, and shapes 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11);
 * palette.test.ts measures it.
 */
export interface Palette {
  readonly page: string;
  readonly raised: string;
  readonly ink: string;
  readonly quiet: string;
  readonly line: string;
  readonly control: string;
  readonly link: string;
  readonly good: string;
  readonly 'good-back': string;
  readonly bad: string;
  readonly 'bad-back': string;
  readonly open: string;
  readonly 'open-back': string;
  readonly outside: string;
  readonly inside: string;
  readonly enclave: string;
  readonly both: string;
}

export const light: Palette = {
  page: '#fafaf8',
  raised: '#ffffff',
  ink: '#1c2024',
  quiet: '#5a626b',
  line: '#e0e2e0',
  control: '#7c858f',
  link: '#1d4f91',
  good: '#17643a',
  'good-back': '#e9f3ec',
  bad: '#a1182e',
  'bad-back': '#fbecee',
  open: '#76500a',
  'open-back': '#fbf3df',
  outside: '#6a5aa8',
  inside: '#23738c',
  enclave: '#a8622a',
  both: '#66707a',
};

export const dark: Palette = {
  page: '#101316',
  raised: '#171b1f',
  ink: '#e6e9ec',
  quiet: '#a2abb5',
  line: '#2c3238',
  control: '#757f8a',
  link: '#8fb8f0',
  good: '#7fcf9c',
  'good-back': '#13291c',
  bad: '#f59aa3',
  'bad-back': '#351a1e',
  open: '#e0b565',
  'open-back': '#2e2511',
  outside: '#a79be4',
  inside: '#6fbdd4',
  enclave: '#dfa36c',
  both: '#98a2ad',
};

/** The custom properties of a palette. */
export function properties(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, value]) => `--${name}:${String(value)}`)
    .join(';');
}
