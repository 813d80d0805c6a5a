// What everybody may choose for themselves: language and colours. Signed in, the choice follows them.

import { ActionIcon, Button, useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { savePreferences, useHasSession } from '../features/session/preferences';
import { chooseLanguage, currentLanguage, LANGUAGES } from '../i18n';
import { MoonIcon, SunIcon, SystemIcon } from '../ui/icons';

/** With two languages, the button is the other one. */
export function Language() {
  const { t } = useTranslation();
  const signedIn = useHasSession();
  const other = currentLanguage() === 'en' ? 'zh-CN' : 'en';
  return (
    <Button
      variant="subtle"
      color="gray"
      size="compact-md"
      fw={500}
      lang={other}
      aria-label={t('app.change_language', { language: LANGUAGES[other] })}
      onClick={() => {
        chooseLanguage(other);
        if (signedIn) savePreferences({ language: other });
      }}
    >
      {LANGUAGES[other]}
    </Button>
  );
}

const NEXT = { light: 'dark', dark: 'auto', auto: 'light' } as const;
const ICONS = { light: SunIcon, dark: MoonIcon, auto: SystemIcon };

export function Theme() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signedIn = useHasSession();
  const Current = ICONS[colorScheme];
  const name = `${t('app.theme.label')}: ${t(`app.theme.${colorScheme}`)}`;
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={name}
      title={name}
      onClick={() => {
        const next = NEXT[colorScheme];
        setColorScheme(next);
        if (signedIn) savePreferences({ theme: next === 'auto' ? 'system' : next });
      }}
    >
      <Current />
    </ActionIcon>
  );
}
