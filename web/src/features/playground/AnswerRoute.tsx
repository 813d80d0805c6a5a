import { Loader, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { generationDetailQuery } from '../../api/app_queries';
import { RouteTaken } from '../activity/RouteTaken';
import classes from './playground.module.css';

/** Where the request was tried, asked for when somebody wants to know. */
export function AnswerRoute({ id }: { id: string }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const detail = useQuery({ ...generationDetailQuery(id), enabled: opened });
  return (
    <details className={classes.route} onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>{t('activity.route')}</summary>
      {detail.isPending && opened && <Loader size="xs" type="dots" aria-label={t('common.loading')} />}
      {detail.isError && (
        <Text size="xs" c="dimmed">
          {t('error.part')}
        </Text>
      )}
      {detail.data && <RouteTaken data={detail.data} />}
    </details>
  );
}
