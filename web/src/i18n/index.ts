// The languages of the app. Before somebody has chosen, it is the browser's.
//
// Texts come in two files a language: what the first page needs, and the rest, fetched with the first other page.

import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type en from './en.json';
import type enPages from './en.pages.json';

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const;
export type Language = keyof typeof LANGUAGES;

const STORAGE_KEY = 'tollgate.language';

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof en & typeof enPages };
  }
}

const FILES: Record<
  Language,
  { first: () => Promise<{ default: object }>; pages: () => Promise<{ default: object }> }
> = {
  en: { first: () => import('./en.json'), pages: () => import('./en.pages.json') },
  'zh-CN': { first: () => import('./zh-CN.json'), pages: () => import('./zh-CN.pages.json') },
};

/** Whether a page other than the first has been opened, so that a change of language fetches its texts too. */
let pagesWanted = false;

export function preferredLanguage(chosen: string | null, browser: readonly string[]): Language {
  if (chosen !== null && chosen in LANGUAGES) return chosen as Language;
  const first = browser.find((tag) => /^(en|zh)\b/i.test(tag));
  return first?.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

export function currentLanguage(): Language {
  return i18next.language === 'zh-CN' ? 'zh-CN' : 'en';
}

export async function startTranslation(): Promise<void> {
  const language = preferredLanguage(localStorage.getItem(STORAGE_KEY), navigator.languages);
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    resources: {},
    partialBundledLanguages: true,
    interpolation: { escapeValue: false },
  });
  await show(language);
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(STORAGE_KEY, language);
  await show(language);
}

/** The texts of every page but the first, in the language shown. */
export async function loadPageTexts(): Promise<void> {
  pagesWanted = true;
  await add(currentLanguage(), 'pages');
}

async function show(language: Language): Promise<void> {
  await add(language, 'first');
  if (pagesWanted) await add(language, 'pages');
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}

async function add(language: Language, part: 'first' | 'pages'): Promise<void> {
  const { default: texts } = await FILES[language][part]();
  i18next.addResourceBundle(language, 'translation', texts, true);
}
