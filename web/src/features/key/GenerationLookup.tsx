import { Alert, Button, Group, Skeleton, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { generationQuery } from '../../api/queries';
import type { Generation } from '../../api/types';
import { type DecimalText, shift } from '../../money/decimal';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { Usd } from '../../ui/Usd';
import classes from './key.module.css';

const route = getRouteApi('/key');

/** One request by its id: what it used and what it cost. */
export function GenerationLookup({ apiKey }: { apiKey: string }) {
  const { t } = useTranslation();
  const { generation: id = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [text, setText] = useState(id);
  const generation = useQuery(generationQuery(apiKey, id));

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === id) generation.refetch();
    navigate({ search: { generation: wanted }, replace: true });
  };

  return (
    <Surface>
      <Title order={2} fz="h4" mb="sm">
        {t('key.lookup')}
      </Title>
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm">
          <TextInput
            flex="1 1 18rem"
            label={t('key.lookup_label')}
            description={t('key.lookup_hint')}
            placeholder="gen-1764000000-…"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            spellCheck={false}
          />
          <Button type="submit" variant="default" disabled={text.trim() === ''} loading={generation.isFetching}>
            {t('key.lookup_button')}
          </Button>
        </Group>
      </form>
      {id !== '' && (
        <div className={classes.result}>
          {generation.isError && <ErrorState error={generation.error} />}
          {generation.isPending && <Skeleton height={180} />}
          {generation.isSuccess && <Facts generation={generation.data} />}
        </div>
      )}
    </Surface>
  );
}

function Facts({ generation }: { generation: Generation }) {
  const { t, i18n } = useTranslation();
  const tokens = (count: number | null) => (count === null ? '–' : t('common.tokens', { count }));
  return (
    <>
      {generation.cancelled && <Alert color="yellow" variant="light" mb="sm" title={t('generation.cancelled')} />}
      <dl className={classes.rows}>
        <Row label={t('generation.model')}>{generation.model}</Row>
        <Row label={t('generation.provider')}>{generation.provider_name ?? '–'}</Row>
        <Row label={t('generation.created')}>
          {new Date(generation.created_at).toLocaleString(i18n.language, { dateStyle: 'medium', timeStyle: 'medium' })}
        </Row>
        <Row label={t('generation.time')}>{seconds(generation.generation_time ?? generation.latency)}</Row>
        <Row label={t('generation.finish')}>{generation.finish_reason ?? '–'}</Row>
        <Row label={t('generation.input')}>{tokens(generation.native_tokens_prompt)}</Row>
        {!!generation.native_tokens_cached && (
          <Row label={t('generation.cached')} sub>
            {tokens(generation.native_tokens_cached)}
          </Row>
        )}
        <Row label={t('generation.output')}>{tokens(generation.native_tokens_completion)}</Row>
        {!!generation.native_tokens_reasoning && (
          <Row label={t('generation.reasoning')} sub>
            {tokens(generation.native_tokens_reasoning)}
          </Row>
        )}
        {generation.cache_discount !== null && generation.cache_discount !== undefined && (
          <Row label={t('generation.cache_discount')}>
            <Usd amount={generation.cache_discount} />
          </Row>
        )}
        <Row label={t('generation.total')} total>
          <Usd amount={generation.total_cost} />
        </Row>
      </dl>
    </>
  );
}

function Row({ label, sub, total, children }: { label: string; sub?: boolean; total?: boolean; children: ReactNode }) {
  return (
    <div className={classes.row} data-sub={sub} data-total={total}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Milliseconds in, seconds out, digit by digit. */
function seconds(milliseconds: DecimalText | null): string {
  const text = milliseconds === null ? null : shift(String(milliseconds).split('.')[0] ?? '0', -3);
  return text === null ? '–' : `${text} s`;
}
