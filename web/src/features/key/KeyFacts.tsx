import { Progress, SimpleGrid, Skeleton, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { creditsQuery, keyQuery } from '../../api/queries';
import type { Credits, KeyInfo } from '../../api/types';
import { type DecimalText, difference, formatUsd, percentOf } from '../../money/decimal';
import { ErrorState } from '../../ui/ErrorState';
import { Surface } from '../../ui/Surface';
import { Usd } from '../../ui/Usd';
import classes from './key.module.css';

/** What the key may spend and what it has spent. */
export function KeyFacts({ apiKey }: { apiKey: string }) {
  const { t } = useTranslation();
  const info = useQuery(keyQuery(apiKey));
  const credits = useQuery(creditsQuery(apiKey));
  if (info.isError) return <ErrorState error={info.error} onRetry={() => info.refetch()} />;
  return (
    <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="md" aria-busy={info.isPending}>
      <Fact title={t('key.balance')}>
        {credits.isError && <ErrorState error={credits.error} onRetry={() => credits.refetch()} />}
        {credits.isPending && <Skeleton height={64} />}
        {credits.isSuccess && <Balance credits={credits.data} />}
      </Fact>
      <Fact title={t('key.limit')}>{info.isPending ? <Skeleton height={64} /> : <Limit info={info.data} />}</Fact>
      <Fact title={t('key.spent')}>{info.isPending ? <Skeleton height={64} /> : <Spent info={info.data} />}</Fact>
    </SimpleGrid>
  );
}

function Fact({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Surface>
      <Title order={2} fz="sm" fw={550} c="dimmed" mb={6}>
        {title}
      </Title>
      {children}
    </Surface>
  );
}

function Balance({ credits }: { credits: Credits }) {
  const { t, i18n } = useTranslation();
  const usd = (amount: DecimalText) => formatUsd(amount, i18n.language);
  return (
    <>
      <Usd amount={difference(credits.total_credits, credits.total_usage)} className={classes.figure ?? ''} />
      <Text size="sm" c="dimmed">
        {t('key.credits', { credits: usd(credits.total_credits), usage: usd(credits.total_usage) })}
      </Text>
    </>
  );
}

function Limit({ info }: { info: KeyInfo }) {
  const { t, i18n } = useTranslation();
  const usd = (amount: DecimalText) => formatUsd(amount, i18n.language);
  return (
    <>
      {info.limit === null || info.limit_remaining === null ? (
        <Text className={classes.figure ?? ''}>{t('key.no_limit')}</Text>
      ) : (
        <>
          <Text className={classes.figure ?? ''}>{usd(info.limit_remaining)}</Text>
          <Progress value={percentOf(info.limit_remaining, info.limit)} my={6} aria-label={t('key.limit')} />
          <Text size="sm" c="dimmed">
            {t('key.remaining', { limit: usd(info.limit) })}
            {info.limit_reset && `, ${t(`key.reset_${info.limit_reset}`)}`}
          </Text>
        </>
      )}
      <Text size="sm" c="dimmed">
        {info.label}
      </Text>
      {info.expires_at && (
        <Text size="sm" c="dimmed">
          {t('key.expires', {
            date: new Date(info.expires_at).toLocaleDateString(i18n.language, { dateStyle: 'long' }),
          })}
        </Text>
      )}
    </>
  );
}

function Spent({ info }: { info: KeyInfo }) {
  const { t } = useTranslation();
  const rows = [
    [t('key.today'), info.usage_daily],
    [t('key.week'), info.usage_weekly],
    [t('key.month'), info.usage_monthly],
    [t('key.total'), info.usage],
  ] as const;
  return (
    <dl className={classes.rows}>
      {rows.map(([label, amount]) => (
        <div key={label} className={classes.row}>
          <dt>{label}</dt>
          <dd>
            <Usd amount={amount} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
