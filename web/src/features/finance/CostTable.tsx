import { Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ProviderCost, TokenKind } from '../../api/types';
import { type Column, DataTable } from '../../ui/DataTable';
import { formatCount } from '../../ui/numbers';
import { TOKENS } from './cost_report';
import classes from './finance.module.css';

/** Rows that are drawn at once: a year by day may have thousands. */
const SHOWN_AT_ONCE = 100;

export function CostTable({ rows, byDay }: { rows: readonly ProviderCost[]; byDay: boolean }) {
  const { t, i18n } = useTranslation();
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const hasPeriods = byDay || new Set(rows.map((row) => row.period)).size > 1;
  const period: Column<ProviderCost> = {
    key: 'period',
    header: t('provider_costs.period'),
    narrow: true,
    cell: (row) => row.period,
  };
  const hasEstimates = rows.some((row) => row.estimated_requests > 0);
  const estimated: Column<ProviderCost> = {
    key: 'estimated',
    header: t('provider_costs.estimated'),
    amount: (row) => row.estimated_cost,
    wide: true,
  };
  return (
    <Stack gap="md">
      <DataTable
        label={t('provider_costs.title')}
        rows={rows.slice(0, most)}
        rowKey={(row) => [row.period, row.channel, row.model].join(' ')}
        columns={[
          ...(hasPeriods ? [period] : []),
          {
            key: 'model',
            header: t('generation.model'),
            heading: true,
            cell: (row) => (
              <Text span inherit fw={550}>
                {row.model || t('provider_costs.nobody_knows')}
              </Text>
            ),
          },
          { key: 'provider', header: t('generation.provider'), cell: (row) => <Whom row={row} /> },
          {
            key: 'requests',
            header: t('activity.requests'),
            numeric: true,
            cell: (row) => <Requests row={row} />,
          },
          { key: 'tokens', header: t('activity.tokens'), full: true, cell: (row) => <Tokens row={row} /> },
          ...(hasEstimates ? [estimated] : []),
          { key: 'cost', header: t('book.provider_cost'), amount: (row) => row.cost, strong: true },
        ]}
      />
      {rows.length > most && (
        <Button variant="default" mx="auto" onClick={() => setMost(most + SHOWN_AT_ONCE)}>
          {t('common.more')}
        </Button>
      )}
    </Stack>
  );

  function Requests({ row }: { row: ProviderCost }) {
    const count = (number: number) => formatCount(number, i18n.language);
    if (row.unknown_requests === 0) return <>{count(row.requests)}</>;
    return (
      <>
        {count(row.requests)}
        <span className={classes.note}>{t('provider_costs.unknown', { requests: count(row.unknown_requests) })}</span>
      </>
    );
  }
}

/** The provider, and the channel where that is not called the same. */
function Whom({ row }: { row: ProviderCost }) {
  if (row.provider.toLowerCase() === row.channel.toLowerCase()) return <>{row.provider || '–'}</>;
  return (
    <>
      {row.provider || '–'}
      <span className={classes.note}>{row.channel}</span>
    </>
  );
}

/** Each kind that there was any of: an invoice counts them apart. */
function Tokens({ row }: { row: ProviderCost }) {
  const { t, i18n } = useTranslation();
  const kinds = (Object.keys(TOKENS) as TokenKind[]).filter((kind) => row.tokens[kind] > 0);
  if (kinds.length === 0) return <>–</>;
  return (
    <div className={classes.tokens}>
      {kinds.map((kind) => (
        <div key={kind} className={classes.posting}>
          <span className={classes.account}>{t(TOKENS[kind])}</span>
          <span>{formatCount(row.tokens[kind], i18n.language)}</span>
        </div>
      ))}
    </div>
  );
}
