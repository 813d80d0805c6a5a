import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { providerCostsQuery } from '../../api/app_queries';
import type { ProviderCostReport } from '../../api/types';
import type { ProviderCostsSearch } from '../../app/search';
import { EmptyState } from '../../ui/EmptyState';
import { QueryView } from '../../ui/QueryView';
import { BooksBeside } from './BooksBeside';
import { CostFilters } from './CostFilters';
import { CostSummary } from './CostSummary';
import { CostTable } from './CostTable';
import { costPeriod } from './cost_period';
import { narrowed } from './cost_report';

const route = getRouteApi('/finance/provider-costs');

/** What providers should have invoiced, and an invoice beside it. */
export function ProviderCosts() {
  const { t } = useTranslation();
  const search = route.useSearch();
  const period = costPeriod(search, new Date());
  const filters = { from: period.from, to: period.to, by: search.by ?? ('month' as const) };
  const report = useQuery({ ...providerCostsQuery(filters), enabled: period.fault === null });
  return (
    <Stack gap="lg">
      <CostFilters period={period} search={search} rows={report.data?.rows ?? []} />
      {period.fault ? (
        <Text role="alert" c="red" size="sm">
          {t(`provider_costs.fault.${period.fault}`)}
        </Text>
      ) : (
        <QueryView query={report} height={420}>
          {(data) => <Found report={data} search={search} onRefresh={() => report.refetch()} />}
        </QueryView>
      )}
    </Stack>
  );
}

interface FoundProps {
  report: ProviderCostReport;
  search: ProviderCostsSearch;
  onRefresh: () => Promise<unknown>;
}

function Found({ report, search, onRefresh }: FoundProps) {
  const { t } = useTranslation();
  const rows = narrowed(report.rows, search);
  const isNarrowed = search.provider !== undefined || search.channel !== undefined;
  return (
    <>
      <CostSummary rows={rows} all={report.rows} search={search} />
      {rows.length === 0 ? (
        <EmptyState
          title={t(isNarrowed ? 'common.no_match' : 'provider_costs.empty_title')}
          text={t(isNarrowed ? 'common.no_match_text' : 'provider_costs.empty')}
        />
      ) : (
        <CostTable rows={rows} byDay={search.by === 'day'} />
      )}
      <BooksBeside books={report.books} onRefresh={onRefresh} />
    </>
  );
}
