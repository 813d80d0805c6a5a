import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useTranslation } from 'react-i18next';
import type { Model } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { CheckIcon } from '../../ui/icons';
import { Tags } from '../../ui/Tags';
import classes from './models.module.css';
import { compareParameters } from './parameters';

/** What requests may ask of the models: a row for each difference, and what they share folded away. */
export function ParameterComparison({ models }: { models: readonly Model[] }) {
  const { t } = useTranslation();
  const { shared, differing } = compareParameters(models);
  const [opened, { toggle }] = useDisclosure(false);
  if (shared.length + differing.length === 0) return null;
  return (
    <section>
      <Title order={2} fz="h4" mb="sm">
        {t('models.parameters')}
      </Title>
      <Stack gap="md">
        {differing.length > 0 && (
          <DataTable
            label={t('models.parameters_differ')}
            rows={differing}
            rowKey={({ name }) => name}
            even
            columns={[
              {
                key: 'name',
                header: t('models.parameters_differ'),
                heading: true,
                cell: ({ name }) => <span className={classes.parameter}>{name}</span>,
              },
              ...models.map((model, place) => ({
                key: model.id,
                header: model.name,
                cell: ({ by }: (typeof differing)[number]) => <Understood yes={by[place] ?? false} />,
              })),
            ]}
          />
        )}
        {shared.length > 0 && (
          <div>
            <Group gap="xs">
              <Text size="sm" c="dimmed">
                {t(models.length > 1 ? 'models.parameters_shared' : 'models.parameters_count', {
                  count: shared.length,
                })}
              </Text>
              <Button size="compact-xs" variant="subtle" onClick={toggle} aria-expanded={opened}>
                {t(opened ? 'common.hide' : 'common.show')}
              </Button>
            </Group>
            {opened && <Tags words={shared} />}
          </div>
        )}
      </Stack>
    </section>
  );
}

function Understood({ yes }: { yes: boolean }) {
  const { t } = useTranslation();
  return (
    <span
      role="img"
      className={classes.understood}
      data-yes={yes}
      aria-label={t(yes ? 'models.understood' : 'models.not_understood')}
    >
      {yes ? <CheckIcon /> : '–'}
    </span>
  );
}
