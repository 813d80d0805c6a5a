import { TextInput, Title } from '@mantine/core';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { ProviderCost } from '../../api/types';
import type { ProviderCostsSearch } from '../../app/search';
import { type DecimalText, formatUsd } from '../../money/decimal';
import { Figure, Figures } from '../../ui/Figure';
import { formatCount } from '../../ui/numbers';
import { Surface } from '../../ui/Surface';
import { LargeUsd, Usd } from '../../ui/Usd';
import { useAddressText } from '../../ui/use_address_text';
import { byProvider, compareInvoice, readInvoice, totalOf } from './cost_report';
import classes from './finance.module.css';

/** Ten times as much: a share beyond that says nothing. */
const MOST_SHARE = 100_000;

const route = getRouteApi('/finance/provider-costs');

interface CostSummaryProps {
  rows: readonly ProviderCost[];
  /** Those of other providers and channels as well. */
  all: readonly ProviderCost[];
  search: ProviderCostsSearch;
}

export function CostSummary({ rows, all, search }: CostSummaryProps) {
  const { t, i18n } = useTranslation();
  const total = totalOf(rows);
  const providers = byProvider(all);
  const count = (number: number) => formatCount(number, i18n.language);
  return (
    <div className={classes.summary}>
      <Surface>
        <Figures least="8.5rem">
          <Figure
            label={t('provider_costs.cost')}
            note={search.channel ?? search.provider ?? t('provider_costs.of_all')}
          >
            <LargeUsd amount={total.cost} />
          </Figure>
          <Figure
            label={t('provider_costs.estimated')}
            note={
              total.requests === 0
                ? undefined
                : total.estimated_requests === 0
                  ? t('provider_costs.estimated_none')
                  : t('provider_costs.estimated_note', { count: total.estimated_requests })
            }
          >
            <LargeUsd amount={total.estimated_cost} />
          </Figure>
          <Figure
            label={t('activity.requests')}
            note={
              total.requests === 0
                ? undefined
                : total.unknown_requests === 0
                  ? t('provider_costs.unknown_none')
                  : t('provider_costs.unknown_note', { count: total.unknown_requests })
            }
          >
            {count(total.requests)}
          </Figure>
        </Figures>
        {providers.length > 1 && <Providers costs={providers} chosen={search.provider} />}
      </Surface>
      <Invoice total={total} search={search} hasChoice={providers.length > 1} />
    </div>
  );
}

/** Each leads to itself alone: an invoice is one provider's. */
function Providers({ costs, chosen }: { costs: ReturnType<typeof byProvider>; chosen: string | undefined }) {
  const { t } = useTranslation();
  return (
    <ul className={classes.providers} aria-label={t('provider_costs.providers')}>
      {costs.map(({ provider, cost }) => (
        <li key={provider}>
          <Link
            to="/finance/provider-costs"
            search={({ channel: _, ...before }) => ({ ...before, provider })}
            replace
            resetScroll={false}
            className={classes.provider ?? ''}
            {...(provider === chosen ? { 'aria-current': 'true' as const } : {})}
          >
            {provider}
          </Link>
          <Usd amount={cost} />
        </li>
      ))}
    </ul>
  );
}

interface InvoiceProps {
  total: ReturnType<typeof totalOf>;
  search: ProviderCostsSearch;
  /** Whether there are several providers. */
  hasChoice: boolean;
}

function Invoice({ total, search, hasChoice }: InvoiceProps) {
  const { t } = useTranslation();
  const navigate = route.useNavigate();
  const { field } = useAddressText(search.invoiced ?? '', (invoiced) =>
    navigate({
      search: ({ invoiced: _, ...before }) => (invoiced.trim() === '' ? before : { ...before, invoiced }),
      replace: true,
      resetScroll: false,
    }),
  );
  const amount = readInvoice(field.value);
  const isWrong = field.value.trim() !== '' && amount === null;
  return (
    <Surface>
      <Title order={2} fz="h4" mb="xs">
        {t('provider_costs.invoice')}
      </Title>
      <TextInput
        label={t('provider_costs.invoiced')}
        description={t(
          hasChoice && !search.provider && !search.channel
            ? 'provider_costs.choose_provider'
            : 'provider_costs.invoiced_hint',
        )}
        placeholder="1234.56"
        leftSection="$"
        inputMode="decimal"
        autoComplete="off"
        maw="20rem"
        error={isWrong ? t('provider_costs.invoiced_wrong') : undefined}
        {...field}
      />
      <div role="status" className={classes.verdict}>
        {amount !== null && <Verdict invoiced={amount} total={total} />}
      </div>
    </Surface>
  );
}

function Verdict({ invoiced, total }: { invoiced: string; total: ReturnType<typeof totalOf> }) {
  const { t, i18n } = useTranslation();
  const compared = compareInvoice(invoiced, total.cost);
  if (!compared) return null;
  const { verdict, apart, basisPoints } = compared;
  const usd = (value: DecimalText) => formatUsd(value, i18n.language);
  const share = new Intl.NumberFormat(i18n.language, { style: 'percent', maximumFractionDigits: 2 });
  const isApart = verdict === 'higher' || verdict === 'lower';
  const isEstimated = isApart && total.estimated_requests > 0;
  return (
    <>
      <p className={classes.difference} data-verdict={verdict}>
        {t(`provider_costs.verdict.${verdict}`, { apart: usd(apart) })}
        {isApart &&
          basisPoints !== null &&
          basisPoints > 0 &&
          basisPoints <= MOST_SHARE &&
          ` (${share.format(basisPoints / 10_000)})`}
      </p>
      {verdict === 'higher' && total.unknown_requests > 0 && (
        <p>{t('provider_costs.look_unknown', { count: total.unknown_requests })}</p>
      )}
      {isEstimated && <p>{t('provider_costs.look_estimated', { amount: usd(total.estimated_cost) })}</p>}
    </>
  );
}
