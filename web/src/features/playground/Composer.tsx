import { ActionIcon, Textarea } from '@mantine/core';
import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SendIcon, StopIcon } from '../../ui/icons';
import classes from './playground.module.css';

interface ComposerProps {
  busy: boolean;
  disabled: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ busy, disabled, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const ready = text.trim() !== '' && !busy && !disabled;
  const submit = () => {
    if (!ready) return;
    onSend(text.trim());
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends a composition (Chinese, Japanese input) is not meant for us.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <div className={classes.compose}>
      <Textarea
        aria-label={t('playground.message')}
        placeholder={t('playground.message_placeholder')}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        autosize
        minRows={2}
        maxRows={10}
        flex={1}
        variant="unstyled"
      />
      {busy ? (
        <ActionIcon size="xl" radius="xl" variant="default" onClick={onStop} aria-label={t('playground.stop')}>
          <StopIcon />
        </ActionIcon>
      ) : (
        <ActionIcon size="xl" radius="xl" onClick={submit} disabled={!ready} aria-label={t('playground.send')}>
          <SendIcon />
        </ActionIcon>
      )}
    </div>
  );
}
