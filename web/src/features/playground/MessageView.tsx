import { Code, Group, Loader, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ErrorState } from '../../ui/ErrorState';
import { Usd } from '../../ui/Usd';
import { useViewer } from '../session/store';
import type { Answer } from './answer';
import type { Message } from './conversation_store';
import classes from './playground.module.css';

export function MessageView({ message }: { message: Message }) {
  const { t } = useTranslation();
  const { answer } = message;
  const name = message.role === 'user' ? t('playground.you') : (answer?.model ?? t('playground.model'));
  return (
    <article className={classes.message} data-role={message.role} aria-label={name}>
      {message.role === 'assistant' && (
        <Text size="xs" c="dimmed" fw={550} mb={4}>
          {name}
          {answer?.provider && ` · ${answer.provider}`}
        </Text>
      )}
      {answer?.reasoning && <Reasoning text={answer.reasoning} open={message.content === ''} />}
      {message.state === 'streaming' && message.content === '' && !answer?.reasoning ? (
        <Group gap="xs" c="dimmed">
          <Loader size="xs" type="dots" />
          <Text size="sm">{t('playground.waiting')}</Text>
        </Group>
      ) : (
        <Content text={message.content} />
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
    </article>
  );
}

/** Text with its fenced code set apart; everything else as it came. */
function Content({ text }: { text: string }) {
  const parts = text.split(/```[^\n]*\n?/);
  return (
    <div className={classes.text}>
      {parts.map((part, place) => {
        // Parts never move: the text only grows at its end.
        const key = `${place}`;
        if (place % 2 === 1)
          return (
            <Code block key={key} className={classes.fence ?? ''}>
              {part.replace(/\n$/, '')}
            </Code>
          );
        return part.trim() === '' ? null : <span key={key}>{place > 0 ? part.trimStart() : part.trimEnd()}</span>;
      })}
    </div>
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
