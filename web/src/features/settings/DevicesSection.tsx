import { Badge, Group, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { devicesQuery } from '../../api/app_queries';
import { call } from '../../api/client';
import { ConfirmButton } from '../../ui/Confirm';
import { DataTable } from '../../ui/DataTable';
import { QueryView } from '../../ui/QueryView';
import { Time } from '../../ui/Time';
import { endSession } from '../session/end_session';
import { browserName } from './browser_name';

/** Where the person is signed in. */
export function DevicesSection() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const devices = useQuery(devicesQuery);
  return (
    <Stack gap="lg">
      <Group justify="flex-end">
        <ConfirmButton
          size="sm"
          title={t('settings.everywhere_title')}
          text={t('settings.everywhere_text')}
          confirm={t('settings.everywhere')}
          action={async () => {
            await call('DELETE', '/api/app/sessions');
            endSession(queries);
          }}
        >
          {t('settings.everywhere')}
        </ConfirmButton>
      </Group>
      <QueryView query={devices} height={200}>
        {(rows) => (
          <DataTable
            label={t('settings.section.devices')}
            rows={rows}
            rowKey={(row) => row.id}
            columns={[
              {
                key: 'device',
                header: t('settings.device'),
                heading: true,
                cell: (row) => (
                  <Group gap={8}>
                    <Text size="sm" component="span" lineClamp={1} maw="24rem" title={row.user_agent ?? ''}>
                      {row.user_agent ? browserName(row.user_agent) : '–'}
                    </Text>
                    {row.current && (
                      <Badge size="sm" variant="light" tt="none">
                        {t('settings.this_one')}
                      </Badge>
                    )}
                  </Group>
                ),
              },
              { key: 'address', header: t('settings.address'), cell: (row) => row.address ?? '–' },
              { key: 'since', header: t('settings.since'), wide: true, cell: (row) => <Time at={row.created_at} /> },
              { key: 'seen', header: t('settings.seen'), cell: (row) => <Time at={row.last_seen_at} /> },
              {
                key: 'acts',
                header: '',
                cell: (row) =>
                  !row.current && (
                    <ConfirmButton
                      size="compact-sm"
                      title={t('settings.end_title')}
                      text={t('settings.end_text')}
                      confirm={t('session.sign_out')}
                      action={async () => {
                        await call('DELETE', `/api/app/sessions/${row.id}`);
                        await queries.invalidateQueries({ queryKey: devicesQuery.queryKey });
                      }}
                    >
                      {t('session.sign_out')}
                    </ConfirmButton>
                  ),
              },
            ]}
          />
        )}
      </QueryView>
    </Stack>
  );
}
