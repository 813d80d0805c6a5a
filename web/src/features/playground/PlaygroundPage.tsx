import { Button, MultiSelect, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { modelsQuery } from '../../api/queries';
import { sum } from '../../money/decimal';
import { ErrorState } from '../../ui/ErrorState';
import { useFailure } from '../../ui/FailureScope';
import { PageHeader } from '../../ui/PageHeader';
import { Surface } from '../../ui/Surface';
import { Usd } from '../../ui/Usd';
import { KeyForm } from '../key/KeyForm';
import { useViewer } from '../session/store';
import { Composer } from './Composer';
import { Conversation } from './Conversation';
import classes from './playground.module.css';
import { usePlaygroundKey } from './playground_key';
import { DEFAULT_SETTINGS, SettingsPanel } from './SettingsPanel';
import { useConversations } from './use_conversation';
import { useFollow } from './use_follow';

const route = getRouteApi('/playground');
/** What an answer makes old. */
const SPENT = ['key', 'credits', 'account', 'keys', 'transactions', 'generations', 'activity'];
/** Side by side on a wide screen. */
const MOST_MODELS = 4;

export function PlaygroundPage() {
  const { t } = useTranslation();
  const { models: wanted = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const offered = useQuery(modelsQuery);
  const told = useFailure(offered);
  const viewer = useViewer();
  const key = usePlaygroundKey();
  const queries = useQueryClient();
  const { conversations, busy, send, stop, clear } = useConversations();
  const [settings, setSettings] = useState(DEFAULT_SETTINGS);
  const [failure, setFailure] = useState<Error | null>(null);

  const preferred = viewer?.session.preferences.default_model ?? null;
  const first = offered.data?.find(({ id }) => id === preferred)?.id ?? offered.data?.[0]?.id;
  const chosen = wanted.split(',').filter(Boolean).slice(0, MOST_MODELS);
  const models = chosen.length > 0 ? chosen : first ? [first] : [];
  const shown = models.filter((model) => (conversations[model] ?? []).length > 0);
  const costs = Object.values(conversations)
    .flat()
    .map((message) => message.answer?.usage?.cost)
    .filter((cost) => cost !== undefined);

  useAskBeforeLeaving(busy);

  const lookAtEnd = useFollow(conversations);
  // The page is busy once an answer streams, and a key may have to be made before that.
  const sending = useRef(false);

  /** Says, as soon as that is sure, whether the question is in the conversation. */
  const submit = async (text: string): Promise<boolean> => {
    if (sending.current || busy) return false;
    sending.current = true;
    setFailure(null);
    try {
      const first = await key.get();
      lookAtEnd();
      send(models, text, settings, first, key).finally(() => {
        sending.current = false;
        queries.invalidateQueries({ predicate: (query) => SPENT.includes(String(query.queryKey[0])) });
      });
      return true;
    } catch (error) {
      sending.current = false;
      setFailure(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  };

  return (
    <div className={classes.page} data-wide={models.length > 1}>
      <PageHeader title={t('playground.title')}>
        {costs.length > 0 && (
          <Text size="sm" c="dimmed">
            <ConversationCost costs={costs} />
          </Text>
        )}
        <Button variant="default" onClick={clear} disabled={shown.length === 0}>
          {t('playground.clear')}
        </Button>
      </PageHeader>
      <div className={classes.talk}>
        {offered.isError && !told && <ErrorState error={offered.error} onRetry={() => offered.refetch()} />}
        <MultiSelect
          label={t('playground.models')}
          description={t('playground.models_hint')}
          placeholder={models.length === 0 ? t('playground.model_placeholder') : ''}
          data={(offered.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          value={models}
          onChange={(next) =>
            navigate({ search: next.length > 0 ? { models: next.join(',') } : {}, replace: true, resetScroll: false })
          }
          searchable
          maxValues={MOST_MODELS}
          hidePickedOptions
          disabled={!offered.isSuccess || busy}
          maxDropdownHeight={320}
          limit={100}
          nothingFoundMessage={t('models.no_match_title')}
        />
        <SettingsPanel settings={settings} onChange={setSettings} />
        {!key.ready ? (
          <Surface>
            <Title order={2} fz="h4">
              {t('playground.need_key_title')}
            </Title>
            <Text c="dimmed" size="sm" mb="md">
              {t(viewer ? 'playground.role_has_no_key' : 'playground.need_key')}
            </Text>
            <KeyForm />
          </Surface>
        ) : shown.length === 0 ? (
          <Start onPick={models.length > 0 && !busy ? submit : null} />
        ) : (
          <div className={classes.columns} data-columns={shown.length}>
            {shown.map((model) => (
              <Conversation key={model} model={model} messages={conversations[model] ?? []} titled={shown.length > 1} />
            ))}
          </div>
        )}
        {failure && <ErrorState error={failure} />}
        {key.ready && <Composer busy={busy} disabled={models.length === 0} onSend={submit} onStop={stop} />}
        {key.ready && key.account !== null && (
          <Text size="xs" c="dimmed" ta="center">
            {t('playground.charged_to', { account: key.account })}
          </Text>
        )}
      </div>
    </div>
  );
}

const IDEAS = ['explain', 'code', 'translate'] as const;

/** Before the first question: what will happen, and something to ask. */
function Start({ onPick }: { onPick: ((text: string) => void) | null }) {
  const { t } = useTranslation();
  return (
    <div className={classes.start}>
      <Title order={2} fz="h3">
        {t('playground.empty_title')}
      </Title>
      <Text c="dimmed">{t('playground.empty')}</Text>
      <div className={classes.ideas}>
        {IDEAS.map((idea) => (
          <Button
            key={idea}
            size="xs"
            radius="xl"
            variant="default"
            fw={500}
            disabled={onPick === null}
            onClick={() => onPick?.(t(`playground.idea.${idea}`))}
          >
            {t(`playground.idea.${idea}`)}
          </Button>
        ))}
      </div>
    </div>
  );
}

function ConversationCost({ costs }: { costs: readonly (string | number)[] }) {
  const { t } = useTranslation();
  const [before = '', after = ''] = t('playground.conversation', { cost: '\u0000' }).split('\u0000');
  return (
    <>
      {before}
      <Usd amount={sum(costs)} />
      {after}
    </>
  );
}

/** Closing the tab would cut answers that are being paid for: the browser asks first. */
function useAskBeforeLeaving(busy: boolean): void {
  useEffect(() => {
    if (!busy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [busy]);
}
