import { Stack } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { PageHeader } from '../../ui/PageHeader';
import { Guard } from '../session/Guard';
import { REQUEST_READERS } from '../session/store';
import { GenerationDrawer } from './GenerationDrawer';
import { GenerationList } from './GenerationList';
import { Totals } from './Totals';

const route = getRouteApi('/activity');

export function ActivityPage() {
  const { t } = useTranslation();
  const { generation = '' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Guard>
      {({ account, is }) => (
        <>
          <PageHeader title={t('activity.title')} lead={t('activity.lead')} />
          <Stack gap="lg">
            <Totals account={account.id} />
            {is(...REQUEST_READERS) && <GenerationList key={account.id} account={account.id} />}
          </Stack>
          <GenerationDrawer
            id={generation}
            onClose={() =>
              navigate({ search: ({ generation: _, ...rest }) => rest, replace: true, resetScroll: false })
            }
          />
        </>
      )}
    </Guard>
  );
}
