import { Button, Checkbox, NativeSelect } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { providerCostsPath } from '../../api/app_queries';
import type { ProviderCost } from '../../api/types';
import type { ProviderCostsSearch } from '../../app/search';
import { DateRange } from '../../ui/DateRange';
import { Filters } from '../../ui/Filters';
import { DownloadIcon } from '../../ui/icons';
import { type CostPeriod, daysOfMonth, latestMonths, monthOf } from './cost_period';
import { narrowed } from './cost_report';

const route = getRouteApi('/finance/provider-costs');

type Change = { [K in keyof ProviderCostsSearch]?: ProviderCostsSearch[K] | undefined };

interface CostFiltersProps {
  period: CostPeriod;
  search: ProviderCostsSearch;
  rows: readonly ProviderCost[];
}

/** The days, whose cost, and the same as a file. */
export function CostFilters({ period, search, rows }: CostFiltersProps) {
  const { t, i18n } = useTranslation();
  const navigate = route.useNavigate();
  const set = (change: Change) =>
    navigate({
      search: (before) => ({ ...before, ...change }) as ProviderCostsSearch,
      replace: true,
      resetScroll: false,
    });
  const month = monthOf(period) ?? '';
  const months = latestMonths(new Date());
  if (month !== '' && !months.includes(month)) months.push(month);
  const monthName = (one: string) =>
    new Date(`${one}-01T00:00:00Z`).toLocaleDateString(i18n.language, {
      year: 'numeric',
      month: 'long',
      timeZone: 'UTC',
    });
  // While a day is being typed its field is empty: another one must not be put there.
  const days = search.from === undefined && search.to === undefined ? period : search;
  return (
    <Filters>
      <NativeSelect
        size="xs"
        aria-label={t('provider_costs.month')}
        value={month}
        onChange={(event) => event.currentTarget.value !== '' && set(daysOfMonth(event.currentTarget.value))}
        data={[
          ...(month === '' ? [{ value: '', label: t('provider_costs.own_days') }] : []),
          ...months.map((value) => ({ value, label: monthName(value) })),
        ]}
      />
      <Names
        label={t('generation.provider')}
        every={t('models.any_provider')}
        chosen={search.provider}
        names={rows.map((row) => row.provider)}
        onChange={(provider) => set({ provider, channel: undefined })}
      />
      <Names
        label={t('admin.channel')}
        every={t('provider_costs.any_channel')}
        chosen={search.channel}
        names={narrowed(rows, { provider: search.provider }).map((row) => row.channel)}
        onChange={(channel) => set({ channel })}
      />
      <Checkbox
        size="xs"
        label={t('provider_costs.by_day')}
        checked={search.by === 'day'}
        onChange={(event) => set({ by: event.currentTarget.checked ? 'day' : undefined })}
      />
      <DateRange
        from={days.from}
        to={days.to}
        onChange={(change) => set({ from: days.from, to: days.to, ...change })}
      />
      <Csv period={period} search={search} />
    </Filters>
  );
}

interface NamesProps {
  label: string;
  /** What the choice of none says. */
  every: string;
  chosen: string | undefined;
  names: readonly string[];
  onChange: (name: string | undefined) => void;
}

function Names({ label, every, chosen, names, onChange }: NamesProps) {
  const offered = [...new Set(chosen === undefined ? names : [...names, chosen])].filter(Boolean).sort();
  return (
    <NativeSelect
      size="xs"
      aria-label={label}
      value={chosen ?? ''}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
      data={[{ value: '', label: every }, ...offered.map((name) => ({ value: name, label: name }))]}
    />
  );
}

function Csv({ period: { from, to, fault }, search }: Omit<CostFiltersProps, 'rows'>) {
  const look = { size: 'xs', variant: 'default', leftSection: <DownloadIcon /> } as const;
  if (fault !== null)
    return (
      <Button {...look} disabled>
        CSV
      </Button>
    );
  const { provider, channel, by = 'month' } = search;
  const href = providerCostsPath({ from, to, by, provider, channel, format: 'csv' });
  return (
    <Button {...look} component="a" href={href} download>
      CSV
    </Button>
  );
}
