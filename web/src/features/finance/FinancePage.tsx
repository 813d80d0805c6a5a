import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { PageHeader } from '../../ui/PageHeader';
import { SectionTabs } from '../../ui/SectionTabs';
import { Guard } from '../session/Guard';
import { MONEY_READERS, useViewer } from '../session/store';
import { AccountAudit, AuditSection } from './AuditSection';
import { LedgerBrowser } from './LedgerBrowser';
import { ProviderCosts } from './ProviderCosts';

const ledger = getRouteApi('/finance');

export function FinancePage() {
  const search = ledger.useSearch();
  return (
    <Guard roles={MONEY_READERS}>
      {({ account }) => (
        <>
          <Header section="ledger" />
          <LedgerBrowser account={account.id} search={search} />
        </>
      )}
    </Guard>
  );
}

/** All books for the platform's administrators; for others, what concerns their account. */
export function AuditPage() {
  return useViewer()?.isAdmin ? (
    <Guard admin>
      {() => (
        <>
          <Header section="audit" />
          <AuditSection />
        </>
      )}
    </Guard>
  ) : (
    <Guard roles={MONEY_READERS}>
      {({ account }) => (
        <>
          <Header section="audit" />
          <AccountAudit account={account.id} />
        </>
      )}
    </Guard>
  );
}

/** What providers should have invoiced, for those who pay them. */
export function ProviderCostsPage() {
  return (
    <Guard admin>
      {() => (
        <>
          <Header section="provider-costs" />
          <ProviderCosts />
        </>
      )}
    </Guard>
  );
}

function Header({ section }: { section: 'ledger' | 'audit' | 'provider-costs' }) {
  const { t } = useTranslation();
  const viewer = useViewer();
  return (
    <>
      <PageHeader
        title={t('finance.title')}
        lead={t(section === 'provider-costs' ? 'provider_costs.lead' : 'finance.lead')}
      />
      <SectionTabs
        label={t('finance.title')}
        sections={[
          ...(viewer?.is(...MONEY_READERS)
            ? [{ to: '/finance', label: t('finance.ledger'), active: section === 'ledger' }]
            : []),
          { to: '/finance/audit', label: t('finance.audit'), active: section === 'audit' },
          ...(viewer?.isAdmin
            ? [
                {
                  to: '/finance/provider-costs',
                  label: t('provider_costs.title'),
                  active: section === 'provider-costs',
                },
              ]
            : []),
        ]}
      />
    </>
  );
}
