import { NativeSelect, Stack, Switch, Text, Title } from '@mantine/core';
import { useMutation, useMutationState, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { type Preferences, STRATEGIES, type Strategy } from '../../api/app_types';
import { modelsQuery } from '../../api/queries';
import { LANGUAGES } from '../../i18n';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { type PreferencesChange, savePreferences } from '../session/preferences';
import { withPending } from './pending_preferences';

const SAVING = ['save-preferences'] as const;

/** A person's own choices. Each is saved when it is made. */
export function PreferencesSection({ preferences: saved }: { preferences: Preferences }) {
  const { t } = useTranslation();
  const models = useQuery(modelsQuery);
  // One after the other: the last choice is the one that stays.
  const save = useMutation({ mutationKey: SAVING, mutationFn: savePreferences, scope: { id: SAVING[0] } });
  const preferences = withPending(
    saved,
    useMutationState({
      filters: { mutationKey: SAVING, status: 'pending' },
      select: (mutation) => mutation.state.variables as PreferencesChange,
    }),
  );
  const { privacy } = preferences;
  return (
    <Stack gap="lg" maw="36rem">
      {save.isError && <ErrorState error={save.error} />}
      <Surface>
        <Stack gap="md">
          <Title order={2} fz="h4">
            {t('settings.looks')}
          </Title>
          <NativeSelect
            label={t('app.language')}
            value={preferences.language}
            onChange={(event) => save.mutate({ language: event.currentTarget.value as Preferences['language'] })}
            data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
          />
          <NativeSelect
            label={t('app.theme.label')}
            value={preferences.theme}
            onChange={(event) => save.mutate({ theme: event.currentTarget.value as Preferences['theme'] })}
            data={[
              { value: 'system', label: t('app.theme.auto') },
              { value: 'light', label: t('app.theme.light') },
              { value: 'dark', label: t('app.theme.dark') },
            ]}
          />
        </Stack>
      </Surface>
      <Surface>
        <Stack gap="md">
          <Title order={2} fz="h4">
            {t('settings.routing')}
          </Title>
          <NativeSelect
            label={t('settings.default_model')}
            description={t('settings.default_model_hint')}
            value={preferences.default_model ?? ''}
            onChange={(event) => save.mutate({ default_model: event.currentTarget.value || null })}
            data={[
              { value: '', label: t('settings.no_default_model') },
              ...(models.data ?? []).map(({ id }) => ({ value: id, label: id })),
            ]}
          />
          <NativeSelect
            label={t('settings.strategy')}
            value={preferences.routing_strategy}
            onChange={(event) => save.mutate({ routing_strategy: event.currentTarget.value as Strategy })}
            data={STRATEGIES.map((value) => ({ value: value as string, label: t(`strategy.${value}`) }))}
          />
        </Stack>
      </Surface>
      <Surface>
        <Stack gap="md">
          <Title order={2} fz="h4">
            {t('settings.privacy')}
          </Title>
          <Text size="sm" c="dimmed">
            {t('settings.privacy_text')}
          </Text>
          <Switch
            label={t('settings.allow_collection')}
            checked={privacy.data_collection === 'allow'}
            onChange={(event) =>
              save.mutate({
                privacy: { data_collection: event.currentTarget.checked ? 'allow' : 'deny' },
              })
            }
          />
          <Switch
            label={t('settings.zdr')}
            description={t('settings.zdr_hint')}
            checked={privacy.zdr}
            onChange={(event) => save.mutate({ privacy: { zdr: event.currentTarget.checked } })}
          />
        </Stack>
      </Surface>
    </Stack>
  );
}
