import { Title } from '@mantine/core';
import type { Message } from './conversation_store';
import { MessageView } from './MessageView';
import classes from './playground.module.css';

/** One model's side of the conversation. */
export function Conversation({
  model,
  messages,
  titled,
}: {
  model: string;
  messages: readonly Message[];
  titled: boolean;
}) {
  const busy = messages.at(-1)?.state === 'streaming';
  return (
    <div className={classes.conversation} role="log" aria-live="polite" aria-busy={busy} aria-label={model}>
      {titled && (
        <Title order={2} fz="sm">
          {model}
        </Title>
      )}
      {messages.map((message) => (
        <MessageView key={message.id} message={message} />
      ))}
    </div>
  );
}
