import { Skeleton } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { type ComponentType, type LazyExoticComponent, lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { NotFoundPage } from '../../app/NotFoundPage';
import { PageHeader } from '../../ui/PageHeader';
import { SectionTabs } from '../../ui/SectionTabs';
import { Guard } from '../session/Guard';

const route = getRouteApi('/admin/$section');

const SECTIONS = {
  channels: lazy(() => import('./ChannelsSection').then((module) => ({ default: module.ChannelsSection }))),
  models: lazy(() => import('./ModelsSection').then((module) => ({ default: module.ModelsSection }))),
  accounts: lazy(() => import('./AccountsSection').then((module) => ({ default: module.AccountsSection }))),
  users: lazy(() => import('./UsersSection').then((module) => ({ default: module.UsersSection }))),
  codes: lazy(() => import('./CodesSection').then((module) => ({ default: module.CodesSection }))),
  changes: lazy(() => import('./ChangesSection').then((module) => ({ default: module.ChangesSection }))),
  system: lazy(() => import('./SystemSection').then((module) => ({ default: module.SystemSection }))),
} satisfies Record<string, LazyExoticComponent<ComponentType>>;
type Section = keyof typeof SECTIONS;

export function AdminPage() {
  const { t } = useTranslation();
  const { section } = route.useParams();
  if (!(section in SECTIONS)) return <NotFoundPage />;
  const Content = SECTIONS[section as Section];
  return (
    <Guard admin>
      {() => (
        <>
          <PageHeader title={t('admin.title')} />
          <SectionTabs
            label={t('admin.title')}
            sections={(Object.keys(SECTIONS) as Section[]).map((name) => ({
              to: `/admin/${name}`,
              label: t(`admin.section.${name}`),
              active: name === section,
            }))}
          />
          <Suspense fallback={<Skeleton height={300} radius="lg" aria-busy="true" />}>
            <Content />
          </Suspense>
        </>
      )}
    </Guard>
  );
}
