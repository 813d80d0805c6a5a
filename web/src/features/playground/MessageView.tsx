import { Group, Loader, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { CopyButton } from '../../ui/CopyButton';
import { ErrorState } from '../../ui/ErrorState';
import { Usd } from '../../ui/Usd';
import { useViewer } from '../session/store';
import { AnswerRoute } from './AnswerRoute';
import type { Answer } from './answer';
import type { Message } from './conversation_store';
import classes from './playground.module.css';

/** Fetched with the first answer; until then the text stands as it came. */
const Markdown = lazy(() => import('./Markdown'));

export function MessageView({ message }: { message: Message }) {
  const { t } = useTranslation();
  const viewer = useViewer();
  const { answer } = message;
  const name = message.role === 'user' ? t('playground.you') : (answer?.model ?? t('playground.model'));
  return (
    <article className={classes.message} data-role={message.role} aria-label={name}>
      {message.role === 'assistant' && (
        <Group justify="space-between" wrap="nowrap" mb={4} mih={28}>
          <Text size="xs" c="dimmed" fw={550}>
            {name}
            {answer?.provider && ` · ${answer.provider}`}
          </Text>
          {message.state !== 'streaming' && message.content !== '' && (
            <CopyButton value={message.content} label={t('playground.copy')} />
          )}
        </Group>
      )}
      {answer?.reasoning && <Reasoning text={answer.reasoning} open={message.content === ''} />}
      {message.state === 'streaming' && message.content === '' && !answer?.reasoning ? (
        <Group gap="xs" c="dimmed">
          <Loader size="xs" type="dots" />
          <Text size="sm">{t('playground.waiting')}</Text>
        </Group>
      ) : message.role === 'user' ? (
        <div className={classes.text}>{message.content}</div>
      ) : (
        <Suspense fallback={<div className={classes.text}>{message.content}</div>}>
          <Markdown text={message.content} />
        </Suspense>
      )}
      {message.error && <ErrorState error={message.error} />}
      {message.state === 'stopped' && (
        <Text size="sm" c="dimmed">
          {t('playground.stopped')}
        </Text>
      )}
      {answer?.finishReason === 'length' && (
        <Text size="sm" c="yellow">
          {t('playground.ended_length')}
        </Text>
      )}
      {answer?.usage && <Cost answer={answer} />}
      {viewer && answer?.id && answer.usage && <AnswerRoute id={answer.id} />}
    </article>
  );
}

/** Open while there is nothing else to read. */
function Reasoning({ text, open }: { text: string; open: boolean }) {
  const { t } = useTranslation();
  return (
    <details className={classes.reasoning} open={open}>
      <summary>{t('playground.thinking')}</summary>
      <div className={classes.text}>{text}</div>
    </details>
  );
}

/** What the answer took and what it cost, to the last digit. */
function Cost({ answer }: { answer: Answer }) {
  const { t } = useTranslation();
  const { usage, firstTokenMs, totalMs } = answer;
  if (!usage) return null;
  const streamingMs = totalMs - (firstTokenMs ?? 0);
  const rate = streamingMs > 100 ? Math.round(usage.completion_tokens / (streamingMs / 1000)) : null;
  return (
    <Group gap="sm" mt="xs" fz="xs" c="dimmed" className={classes.cost ?? ''}>
      <Usd amount={usage.cost} fw={650} c="pine" />
      <span>{t('playground.tokens', { input: usage.prompt_tokens, output: usage.completion_tokens })}</span>
      {firstTokenMs !== null && (
        <span>{t('playground.first_token', { seconds: (firstTokenMs / 1000).toFixed(2) })}</span>
      )}
      {rate !== null && <span>{t('playground.speed', { rate })}</span>}
      {answer.id && <Details id={answer.id} />}
    </Group>
  );
}

/** Leads to the request: lines of its cost, and the route it took. */
function Details({ id }: { id: string }) {
  const { t } = useTranslation();
  const viewer = useViewer();
  return viewer ? (
    <Link to="/activity" search={{ generation: id }} className={classes.id ?? ''} title={id}>
      {t('playground.details')}
    </Link>
  ) : (
    <Link to="/key" search={{ generation: id }} className={classes.id ?? ''}>
      {id}
    </Link>
  );
}
