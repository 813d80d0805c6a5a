import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { PageHeader } from '../../ui/PageHeader';
import { SectionTabs } from '../../ui/SectionTabs';
import { Guard } from '../session/Guard';
import { MONEY_READERS } from '../session/store';
import { AuditSection } from './AuditSection';
import { LedgerBrowser } from './LedgerBrowser';

const ledger = getRouteApi('/finance');

export function FinancePage() {
  const search = ledger.useSearch();
  return (
    <Guard roles={MONEY_READERS}>
      {({ account, isAdmin }) => (
        <>
          <Header isAdmin={isAdmin} section="ledger" />
          <LedgerBrowser account={account.id} search={search} />
        </>
      )}
    </Guard>
  );
}

export function AuditPage() {
  return (
    <Guard admin>
      {() => (
        <>
          <Header isAdmin section="audit" />
          <AuditSection />
        </>
      )}
    </Guard>
  );
}

function Header({ isAdmin, section }: { isAdmin: boolean; section: 'ledger' | 'audit' }) {
  const { t } = useTranslation();
  return (
    <>
      <PageHeader title={t('finance.title')} lead={t('finance.lead')} />
      {isAdmin && (
        <SectionTabs
          label={t('finance.title')}
          sections={[
            { to: '/finance', label: t('finance.ledger'), active: section === 'ledger' },
            { to: '/finance/audit', label: t('finance.audit'), active: section === 'audit' },
          ]}
        />
      )}
    </>
  );
}
