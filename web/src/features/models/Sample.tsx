import { Group, NativeSelect, Title } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Model } from '../../api/types';
import { CodeTabs } from '../../ui/CodeTabs';
import { LANGUAGES } from '../home/first_request';
import { INTERFACES, sample } from './samples';
import { answers } from './select';

/** How programs ask for it. */
export function Sample({ model }: { model: Model }) {
  const { t } = useTranslation();
  const [chosen, choose] = useState<(typeof INTERFACES)[number]>('chat');
  const of = answers(model) ? chosen : 'embeddings';
  return (
    <section>
      <Group justify="space-between" mb="sm">
        <Title order={2} fz="h4">
          {t('model.sample')}
        </Title>
        {answers(model) && (
          <NativeSelect
            size="xs"
            aria-label={t('activity.interface')}
            value={chosen}
            onChange={(event) => choose(event.currentTarget.value as typeof chosen)}
            data={INTERFACES.map((one) => ({ value: one as string, label: t(`model.interface.${one}`) }))}
          />
        )}
      </Group>
      <CodeTabs
        languages={LANGUAGES}
        code={(language) => sample(of, language, window.location.origin, model.id)}
        label={t('model.sample')}
      />
    </section>
  );
}
