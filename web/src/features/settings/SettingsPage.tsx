import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { NotFoundPage } from '../../app/NotFoundPage';
import { PageHeader } from '../../ui/PageHeader';
import { SectionTabs } from '../../ui/SectionTabs';
import { Guard } from '../session/Guard';
import { MANAGERS } from '../session/store';
import { AccountSection } from './AccountSection';
import { DevicesSection } from './DevicesSection';
import { MembersSection } from './MembersSection';
import { PreferencesSection } from './PreferencesSection';
import { ProfileSection } from './ProfileSection';

const route = getRouteApi('/settings/$section');
const SECTIONS = ['profile', 'preferences', 'account', 'members', 'devices'] as const;

export function SettingsPage() {
  const { t } = useTranslation();
  const params = route.useParams();
  const section = SECTIONS.find((known) => known === params.section);
  if (!section) return <NotFoundPage />;
  return (
    <Guard>
      {(viewer) => {
        const manages = viewer.is(...MANAGERS);
        return (
          <>
            <PageHeader title={t('settings.title')} />
            <SectionTabs
              label={t('settings.title')}
              sections={SECTIONS.map((name) => ({
                to: `/settings/${name}`,
                label: t(`settings.section.${name}`),
                active: name === section,
              }))}
            />
            {section === 'profile' && <ProfileSection session={viewer.session} />}
            {section === 'preferences' && <PreferencesSection preferences={viewer.session.preferences} />}
            {section === 'account' && <AccountSection account={viewer.account.id} manages={manages} />}
            {section === 'members' && (
              <MembersSection account={viewer.account.id} manages={manages} self={viewer.session.user.id} />
            )}
            {section === 'devices' && <DevicesSection />}
          </>
        );
      }}
    </Guard>
  );
}
