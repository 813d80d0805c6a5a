import { ActionIcon, Textarea } from '@mantine/core';
import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SendIcon, StopIcon } from '../../ui/icons';
import classes from './playground.module.css';

/** The code of every key that an input method took. */
const COMPOSING_KEY = 229;

interface ComposerProps {
  busy: boolean;
  disabled: boolean;
  /** Whether the question was taken; until then it stays in the field. */
  onSend: (text: string) => Promise<boolean>;
  onStop: () => void;
}

export function Composer({ busy, disabled, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const ready = text.trim() !== '' && !busy && !disabled;
  const submit = async () => {
    if (!ready) return;
    // What was typed meanwhile is the next question.
    if (await onSend(text.trim())) setText((now) => (now === text ? '' : now));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that ends a composition (Chinese, Japanese input) is not meant for us. Safari says so by the code alone,
    // because there the composition has ended already.
    const composes = event.nativeEvent.isComposing || event.keyCode === COMPOSING_KEY;
    if (event.key === 'Enter' && !event.shiftKey && !composes) {
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
