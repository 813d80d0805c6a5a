import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplained } from './ErrorState';
import type { Failure } from './FailureScope';
import { StatusDot } from './StatusDot';
import classes from './ui.module.css';

/** What could not be fetched, each reason once, and one button that asks for all of it again. */
export function FailureNotice({ failures }: { failures: readonly Failure[] }) {
  const { t } = useTranslation();
  const explained = useExplained();
  const [busy, setBusy] = useState(false);
  const reasons = [...new Set(failures.map(({ error }) => explained(error).text))];
  const retry = async () => {
    setBusy(true);
    await Promise.allSettled(failures.map((failure) => failure.retry()));
    setBusy(false);
  };
  return (
    <div role="alert" className={classes.notice}>
      <StatusDot tone="bad" />
      <div className={classes.noticeText}>
        <Text size="sm" fw={600}>
          {t(failures.every(({ isOld }) => isOld) ? 'error.old_title' : 'error.part_title')}
        </Text>
        {reasons.map((reason) => (
          <Text key={reason} size="sm" c="dimmed">
            {reason}
          </Text>
        ))}
      </div>
      <Button size="xs" variant="default" onClick={retry} loading={busy}>
        {t('common.retry')}
      </Button>
    </div>
  );
}
