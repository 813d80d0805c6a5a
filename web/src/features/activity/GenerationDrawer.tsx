import { Alert, Code, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { generationDetailQuery } from '../../api/app_queries';
import type { GenerationDetail } from '../../api/app_types';
import { CopyButton } from '../../ui/CopyButton';
import { Detail, DetailSection } from '../../ui/Detail';
import { Fact, Facts } from '../../ui/Facts';
import { Figure, Figures } from '../../ui/Figure';
import { formatCount, formatDuration } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { Usd } from '../../ui/Usd';
import { useWords } from '../../ui/words';
import { CostLines } from './CostLines';
import { appName, providerName, Status } from './GenerationList';
import { RouteTaken, Timings } from './RouteTaken';

/** Everything known about one request: what it used, what it cost line by line, where it was tried. */
export function GenerationDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation();
  const detail = useQuery(generationDetailQuery(id));
  return (
    <Detail title={t('activity.details')} opened={id !== ''} onClose={onClose}>
      <QueryView query={detail} height={420}>
        {(data) => (
          <>
            <Summary data={data} />
            <Tokens data={data} />
            <DetailSection title={t('activity.cost')}>
              <CostLines data={data} />
            </DetailSection>
            {(data.attempts ?? []).length > 0 && (
              <DetailSection title={t('activity.route')}>
                <RouteTaken data={data} />
              </DetailSection>
            )}
            <DetailSection title={t('activity.timings')}>
              <Timings data={data} />
            </DetailSection>
            <DetailSection title={t('activity.origin')}>
              <Origin data={data} />
            </DetailSection>
          </>
        )}
      </QueryView>
    </Detail>
  );
}

function Summary({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const errorName = useWords('error_type');
  const provider = providerName(data);
  return (
    <Stack gap="md">
      <div>
        <Group justify="space-between" gap="sm" align="baseline">
          <Text fz="lg" fw={640} style={{ overflowWrap: 'anywhere' }}>
            {data.model}
          </Text>
          <Text size="sm" component="div">
            <Status row={data} />
          </Text>
        </Group>
        <Text size="sm" c="dimmed">
          {provider && `${provider} · `}
          <Time at={data.created_at} />
        </Text>
        <Group gap={4} wrap="nowrap" mt={4}>
          <Code style={{ overflowWrap: 'anywhere' }}>{data.id}</Code>
          <CopyButton value={data.id} />
        </Group>
      </div>
      {data.error_type && (
        <Alert color="red" variant="light" title={t('activity.went_wrong')}>
          {errorName(data.error_type)}
          {data.http_status ? ` · HTTP ${data.http_status}` : ''}
        </Alert>
      )}
      <Figures>
        <Figure label={t('activity.cost')}>
          <Usd amount={data.cost} fz="lg" />
        </Figure>
        <Figure label={t('activity.time')}>
          <Text component="span" inherit fz="lg">
            {formatDuration(data.timings?.total_ms ?? data.latency_ms, i18n.language)}
          </Text>
        </Figure>
        {data.tokens_per_second !== null && (
          <Figure label={t('activity.speed')}>
            <Text component="span" inherit fz="lg">
              {t('playground.speed', { rate: formatCount(Math.round(data.tokens_per_second), i18n.language) })}
            </Text>
          </Figure>
        )}
      </Figures>
    </Stack>
  );
}

/** Vectors are no tokens that came out. */
function embeds(data: GenerationDetail): boolean {
  return data.route?.api_type === 'embeddings';
}

function Tokens({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const count = (tokens: number) => formatCount(tokens, i18n.language);
  const { prompt, completion, cached, reasoning } = data.tokens;
  return (
    <DetailSection title={t('activity.tokens')}>
      <Facts>
        <Fact label={t('generation.input')}>{count(prompt)}</Fact>
        {!!cached && (
          <Fact label={t('generation.cached')} sub>
            {count(cached)}
          </Fact>
        )}
        {!embeds(data) && <Fact label={t('generation.output')}>{count(completion)}</Fact>}
        {!!reasoning && (
          <Fact label={t('generation.reasoning')} sub>
            {count(reasoning)}
          </Fact>
        )}
      </Facts>
    </DetailSection>
  );
}

/** Who asked, how, and under which price. */
function Origin({ data }: { data: GenerationDetail }) {
  const { t } = useTranslation();
  const interfaceName = useWords('api_type');
  const finish = [data.finish_reason, data.native_finish_reason].filter(Boolean);
  return (
    <Facts>
      <Fact label={t('activity.key')}>{data.key?.name ?? '–'}</Fact>
      {appName(data) && <Fact label={t('activity.app')}>{appName(data)}</Fact>}
      {data.route && (
        <>
          <Fact label={t('activity.asked_for')}>{data.route.requested_model}</Fact>
          <Fact label={t('activity.interface')}>
            {interfaceName(data.route.api_type)}
            {data.streamed ? ` · ${t('activity.streamed')}` : ''}
          </Fact>
        </>
      )}
      {finish.length > 0 && <Fact label={t('generation.finish')}>{[...new Set(finish)].join(' · ')}</Fact>}
      {data.price_version && (
        <Fact label={t('activity.price_version')}>
          <Code>{data.price_version}</Code>
        </Fact>
      )}
      {data.upstream_id && (
        <Fact label={t('activity.upstream_id')}>
          <Code>{data.upstream_id}</Code>
        </Fact>
      )}
      {data.session_id && <Fact label={t('activity.session')}>{data.session_id}</Fact>}
      {data.external_user && <Fact label={t('activity.external_user')}>{data.external_user}</Fact>}
      {data.user_agent && <Fact label={t('activity.user_agent')}>{data.user_agent}</Fact>}
    </Facts>
  );
}
