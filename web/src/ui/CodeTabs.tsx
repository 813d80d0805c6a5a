import { Tabs } from '@mantine/core';
import { CodeBlock } from './CodeBlock';

interface CodeTabsProps<Language extends string> {
  languages: readonly [Language, ...Language[]];
  code: (language: Language) => string;
  /** What the code is, for those who cannot see it. */
  label: string;
}

/** The same in several languages. */
export function CodeTabs<Language extends string>({ languages, code, label }: CodeTabsProps<Language>) {
  return (
    <Tabs defaultValue={languages[0]} keepMounted={false}>
      <Tabs.List mb="sm">
        {languages.map((language) => (
          <Tabs.Tab key={language} value={language}>
            {language}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {languages.map((language) => (
        <Tabs.Panel key={language} value={language}>
          <CodeBlock code={code(language)} label={`${label}: ${language}`} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
