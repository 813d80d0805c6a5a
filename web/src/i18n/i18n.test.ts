import { describe, expect, it } from 'vitest';
import enFirst from './en.json';
import enPages from './en.pages.json';
import { preferredLanguage } from './index';
import zhFirst from './zh-CN.json';
import zhPages from './zh-CN.pages.json';

const en = { ...enFirst, ...enPages };
const zhCN = { ...zhFirst, ...zhPages };

function entries(tree: object, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[`${path}${key}`, value]] : entries(value, `${path}${key}.`),
  );
}

describe('translations', () => {
  it('have the same keys in every language, none empty', () => {
    expect(entries(zhCN).map(([key]) => key)).toEqual(entries(en).map(([key]) => key));
    expect(entries(zhCN).filter(([, text]) => text.trim() === '')).toEqual([]);
  });

  it('do not say one thing in two files', () => {
    const twice = Object.keys(enFirst).filter((key) => key in enPages);
    expect(twice).toEqual([]);
  });

  it('use the same values in every language', () => {
    const values = (text: string) => [...text.matchAll(/{{(\w+)/g)].map((match) => match[1]).sort();
    const chinese = new Map(entries(zhCN));
    for (const [key, text] of entries(en)) expect(values(chinese.get(key) ?? ''), key).toEqual(values(text));
  });
});

describe('preferredLanguage', () => {
  it('is what was chosen, else the first of the browser that we have, else English', () => {
    expect(preferredLanguage('zh-CN', ['en-US'])).toBe('zh-CN');
    expect(preferredLanguage(null, ['fr-FR', 'zh-TW', 'en'])).toBe('zh-CN');
    expect(preferredLanguage(null, ['fr-FR', 'en-GB', 'zh'])).toBe('en');
    expect(preferredLanguage('tlh', ['fr'])).toBe('en');
  });
});
