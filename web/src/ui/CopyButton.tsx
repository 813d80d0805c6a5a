import { ActionIcon } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { copyText } from './copy';
import { CheckIcon, CopyIcon } from './icons';

const SHOWN_MS = { copied: 1500, failed: 6000 };

export function CopyButton({
  value,
  label,
  className,
}: {
  value: string;
  label?: string;
  className?: string | undefined;
}) {
  const { t } = useTranslation();
  const [outcome, setOutcome] = useState<'copied' | 'failed' | null>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), SHOWN_MS[outcome]);
    return () => clearTimeout(timer);
  }, [outcome]);
  const idle = label ?? t('common.copy');
  const text = outcome === 'copied' ? t('common.copied') : outcome === 'failed' ? t('common.copy_failed') : idle;
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        {...(className ? {} : { c: 'dimmed' })}
        onClick={async (event) => {
          setOutcome((await copyText(value, event.currentTarget)) ? 'copied' : 'failed');
        }}
        aria-label={text}
        title={text}
        className={className ?? ''}
      >
        {outcome === 'copied' ? <CheckIcon /> : <CopyIcon />}
      </ActionIcon>
      {outcome === 'failed' && <span role="alert">{text}</span>}
    </>
  );
}
