import { ActionIcon, CopyButton as Copy } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { CheckIcon, CopyIcon } from './icons';

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
  return (
    <Copy value={value} timeout={1500}>
      {({ copied, copy }) => {
        const text = copied ? t('common.copied') : (label ?? t('common.copy'));
        return (
          <ActionIcon
            variant="subtle"
            color="gray"
            {...(className ? {} : { c: 'dimmed' })}
            onClick={copy}
            aria-label={text}
            title={text}
            className={className ?? ''}
          >
            {copied ? <CheckIcon /> : <CopyIcon />}
          </ActionIcon>
        );
      }}
    </Copy>
  );
}
