import { Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { adminPages } from '../../api/app_queries';
import type { AuditRecord } from '../../api/app_types';
import { EmptyState } from '../../ui/EmptyState';
import { PagedTable } from '../../ui/PagedTable';
import { Time } from '../../ui/Time';
import { useWords } from '../../ui/words';
import { RecordChanges } from './RecordChanges';
import { subjectName } from './record_changes';

/** Who changed what. */
export function ChangesSection() {
  const { t } = useTranslation();
  const actorName = useWords('actor');
  const records = useInfiniteQuery(adminPages<AuditRecord>('audit-records'));
  return (
    <PagedTable
      query={records}
      label={t('admin.section.changes')}
      rowKey={(row) => row.id}
      empty={<EmptyState title={t('admin.no_changes_title')} text={t('admin.no_changes')} />}
      columns={[
        { key: 'at', header: t('common.when'), cell: (row) => <Time at={row.at} /> },
        {
          key: 'who',
          header: t('admin.who'),
          cell: (row) => actorName(row.actor.name ?? row.actor.id ?? row.actor.kind),
        },
        { key: 'action', header: t('admin.action'), heading: true, cell: (row) => <Act record={row} /> },
        { key: 'change', header: t('admin.change'), full: true, cell: (row) => <RecordChanges record={row} /> },
      ]}
    />
  );
}

/** What was done, and to what: by its name where it has one. The id stands in the tooltip then. */
function Act({ record }: { record: AuditRecord }) {
  const actName = useWords('act');
  const name = subjectName(record.before, record.after);
  return (
    <div>
      <Text size="sm" fw={550} component="div" title={record.action}>
        {actName(record.action)}
      </Text>
      <Text
        size="xs"
        c="dimmed"
        component="div"
        title={record.subject}
        maw="18rem"
        {...(name === null ? { truncate: true as const, ff: 'monospace' } : { style: { overflowWrap: 'anywhere' } })}
      >
        {name ?? record.subject}
      </Text>
    </div>
  );
}
