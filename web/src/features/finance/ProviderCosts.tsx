import { Button, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { providerCostsQuery } from '../../api/queries';
import type { ProviderCostReport } from '../../api/types';
import type { ProviderCostsSearch } from '../../app/search';
import { EmptyState } from '../../ui/EmptyState';
import { useExplained } from '../../ui/ErrorState';
import { QueryView } from '../../ui/QueryView';
import { ManagementKeyForm } from '../key/ManagementKeyForm';
import { useManagementKey } from '../key/management_key';
import { BooksBeside } from './BooksBeside';
import { CostFilters } from './CostFilters';
import { CostSummary } from './CostSummary';
import { CostTable } from './CostTable';
import { type CostPeriod, costPeriod } from './cost_period';
import { narrowed } from './cost_report';

const route = getRouteApi('/finance/provider-costs');

/** What providers should have invoiced, and an invoice beside it. No session may ask for it: a management key does. */
export function ProviderCosts() {
  const { t } = useTranslation();
  const { key, forget } = useManagementKey();
  const search = route.useSearch();
  const period = costPeriod(search, new Date());
  if (key === '') return <ManagementKeyForm />;
  return (
    <>
      <Report apiKey={key} period={period} search={search} />
      <Group mt="xl" gap="xs">
        <Text size="xs" c="dimmed">
          {t('management_key.used')}
        </Text>
        <Button size="compact-xs" variant="default" onClick={forget}>
          {t('key.forget')}
        </Button>
      </Group>
    </>
  );
}

interface ReportProps {
  apiKey: string;
  period: CostPeriod;
  search: ProviderCostsSearch;
}

function Report({ apiKey, period, search }: ReportProps) {
  const { t } = useTranslation();
  const explained = useExplained();
  const filters = { from: period.from, to: period.to, by: search.by ?? ('month' as const) };
  const report = useQuery({ ...providerCostsQuery(apiKey, filters), enabled: period.fault === null });
  const refused = report.error instanceof ApiError && [401, 403].includes(report.error.status) ? report.error : null;
  if (refused)
    return (
      <ManagementKeyForm refusal={refused.status === 403 ? t('management_key.not_enough') : explained(refused).text} />
    );
  return (
    <Stack gap="lg">
      <CostFilters apiKey={apiKey} period={period} search={search} rows={report.data?.rows ?? []} />
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
