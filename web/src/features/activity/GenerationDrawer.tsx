import { Alert, Anchor, Badge, Code, Drawer, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { generationDetailQuery } from '../../api/app_queries';
import type { GenerationDetail } from '../../api/app_types';
import { formatUsd, shift } from '../../money/decimal';
import { CopyButton } from '../../ui/CopyButton';
import { Fact, Facts } from '../../ui/Facts';
import { formatCount, formatDuration } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { Usd } from '../../ui/Usd';
import { appName, providerName } from './GenerationList';

/** Everything known about one request: what it used, what it cost line by line, where it was tried. */
export function GenerationDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation();
  const detail = useQuery(generationDetailQuery(id));
  return (
    <Drawer
      opened={id !== ''}
      onClose={onClose}
      position="right"
      size="lg"
      title={t('activity.details')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <Group gap={4} wrap="nowrap" mb="md">
        <Code style={{ overflowWrap: 'anywhere' }}>{id}</Code>
        <CopyButton value={id} />
      </Group>
      <QueryView query={detail} height={420}>
        {(data) => (
          <Stack gap="lg">
            <Basics data={data} />
            <CostLines data={data} />
            <Attempts data={data} />
            <Timings data={data} />
          </Stack>
        )}
      </QueryView>
    </Drawer>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <Title order={3} fz="sm" mb={4}>
        {title}
      </Title>
      {children}
    </section>
  );
}

function Basics({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const tokens = (count: number) => t('common.tokens', { count });
  return (
    <>
      {data.error_type && <Alert color="red" variant="light" title={data.error_type} />}
      <Facts>
        <Fact label={t('playground.model')}>{data.model}</Fact>
        <Fact label={t('generation.provider')}>{providerName(data) ?? '–'}</Fact>
        <Fact label={t('common.when')}>
          <Time at={data.created_at} />
        </Fact>
        <Fact label={t('activity.status')}>
          {t(`status.${data.status}`)}
          {data.finish_reason ? ` · ${data.finish_reason}` : ''}
        </Fact>
        <Fact label={t('activity.key')}>{data.key?.name ?? '–'}</Fact>
        {appName(data) && <Fact label={t('activity.app')}>{appName(data)}</Fact>}
        {data.route && data.route.requested_model !== data.model && (
          <Fact label={t('activity.asked_for')}>{data.route.requested_model}</Fact>
        )}
        <Fact label={t('generation.input')}>{tokens(data.tokens.prompt)}</Fact>
        {!!data.tokens.cached && (
          <Fact label={t('generation.cached')} sub>
            {tokens(data.tokens.cached)}
          </Fact>
        )}
        <Fact label={t('generation.output')}>{tokens(data.tokens.completion)}</Fact>
        {!!data.tokens.reasoning && (
          <Fact label={t('generation.reasoning')} sub>
            {tokens(data.tokens.reasoning)}
          </Fact>
        )}
        {data.tokens_per_second !== null && data.tokens_per_second !== undefined && (
          <Fact label={t('activity.speed')}>
            {t('playground.speed', { rate: formatCount(Math.round(data.tokens_per_second), i18n.language) })}
          </Fact>
        )}
      </Facts>
    </>
  );
}

function CostLines({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <Section title={t('activity.cost')}>
      <Facts>
        {(data.cost_lines ?? []).map((line) => (
          <Fact key={line.kind} label={costName(line.kind, t)}>
            <Text size="xs" c="dimmed" component="span" mr="sm">
              {formatCount(line.quantity, i18n.language)} × {unitPrice(line.kind, line.unit_price, i18n.language)}
            </Text>
            <Usd amount={line.amount} />
          </Fact>
        ))}
        <Fact label={t('generation.total')} total>
          <Usd amount={data.cost} />
        </Fact>
      </Facts>
      {data.transaction_id && (
        <Anchor size="sm" renderRoot={(props) => <Link to="/credits" search={{ generation: data.id }} {...props} />}>
          {t('activity.transaction')}
        </Anchor>
      )}
    </Section>
  );
}

const COSTS = [
  'uncached_input',
  'cache_read',
  'cache_write5m',
  'cache_write1h',
  'image_input',
  'audio_input',
  'text_output',
  'reasoning',
  'image_output',
  'audio_output',
  'request',
] as const;

function costName(kind: string, t: ReturnType<typeof useTranslation>['t']): string {
  const known = COSTS.find((one) => one === kind);
  return known ? t(`price.${known}`) : kind;
}

/** Prices are told per million, as everywhere; a request's is its own. */
function unitPrice(kind: string, price: string | number, language: string): string {
  if (kind === 'request') return formatUsd(price, language) ?? '–';
  return `${formatUsd(shift(price, 6) ?? '', language) ?? '–'}/M`;
}

function Attempts({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const attempts = data.attempts ?? [];
  if (attempts.length === 0) return null;
  return (
    <Section title={t('activity.route')}>
      <Facts>
        {attempts.map((attempt, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: attempts never move
          <Fact key={`${place}-${attempt.channel}`} label={`${place + 1}. ${attempt.channel}`}>
            <Group gap="xs" justify="flex-end">
              <span>{formatDuration(attempt.latency_ms, i18n.language)}</span>
              <Badge size="sm" variant="light" tt="none" fw={500} color={attempt.error ? 'red' : 'pine'}>
                {attempt.error ?? t('status.ok')}
              </Badge>
            </Group>
          </Fact>
        ))}
      </Facts>
    </Section>
  );
}

function Timings({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  return (
    <Section title={t('activity.timings')}>
      <Facts>
        <Fact label={t('activity.first_token')}>{formatDuration(data.time_to_first_token_ms, i18n.language)}</Fact>
        <Fact label={t('activity.whole')}>
          {formatDuration(data.timings?.total_ms ?? data.latency_ms, i18n.language)}
        </Fact>
      </Facts>
    </Section>
  );
}
