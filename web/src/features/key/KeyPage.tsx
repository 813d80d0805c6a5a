import { Stack } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { EmptyState } from '../../ui/EmptyState';
import { PageHeader } from '../../ui/PageHeader';
import { Surface } from '../../ui/Surface';
import { GenerationLookup } from './GenerationLookup';
import { KeyFacts } from './KeyFacts';
import { KeyForm } from './KeyForm';
import { useKey } from './store';

export function KeyPage() {
  const { t } = useTranslation();
  const key = useKey((state) => state.key);
  return (
    <>
      <PageHeader title={t('key.title')} lead={t('key.lead')} />
      <Stack gap="md">
        <Surface>
          <KeyForm />
        </Surface>
        {key === '' ? (
          <EmptyState title={t('key.none_title')} text={t('key.none')} />
        ) : (
          <>
            <KeyFacts apiKey={key} />
            <GenerationLookup apiKey={key} />
          </>
        )}
      </Stack>
    </>
  );
}
