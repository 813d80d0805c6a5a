// A signed-in person's own choices: applied when they sign in, saved when they change.

import { useMantineColorScheme } from '@mantine/core';
import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { sessionQuery } from '../../api/app_queries';
import type { Preferences, Privacy, Session } from '../../api/app_types';
import { call } from '../../api/client';
import { chooseLanguage } from '../../i18n';

export function useHasSession(): boolean {
  return !!useQuery(sessionQuery).data;
}

let cache: QueryClient | null = null;

/** What is to be another; everything else stays as it is. */
export type PreferencesChange = Partial<Omit<Preferences, 'privacy'>> & { privacy?: Partial<Privacy> };

/** Says it to the server; the page has changed already. */
export async function savePreferences(change: PreferencesChange): Promise<void> {
  const saved = await call<Preferences>('PATCH', '/api/app/preferences', change);
  cache?.setQueryData<Session | null>(
    sessionQuery.queryKey,
    (session) => session && { ...session, preferences: saved },
  );
}

/** Makes the page look and read as the person who signed in prefers. */
export function useApplyPreferences(): void {
  cache = useQueryClient();
  const preferences = useQuery(sessionQuery).data?.preferences;
  const { setColorScheme } = useMantineColorScheme();
  const theme = preferences?.theme;
  const language = preferences?.language;
  useEffect(() => {
    if (theme) setColorScheme(theme === 'system' ? 'auto' : theme);
  }, [theme, setColorScheme]);
  useEffect(() => {
    if (language) chooseLanguage(language);
  }, [language]);
}
