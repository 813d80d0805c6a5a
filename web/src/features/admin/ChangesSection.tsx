import { Code, Stack, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { adminPages } from '../../api/app_queries';
import type { AuditRecord } from '../../api/app_types';
import { EmptyState } from '../../ui/EmptyState';
import { PagedTable } from '../../ui/PagedTable';
import { Time } from '../../ui/Time';
import { useWords } from '../../ui/words';

/** Who changed what. */
export function ChangesSection() {
  const { t } = useTranslation();
  const [actName, actorName] = [useWords('act'), useWords('actor')];
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
        {
          key: 'action',
          header: t('admin.action'),
          heading: true,
          cell: (row) => <span title={row.action}>{actName(row.action)}</span>,
        },
        { key: 'change', header: t('admin.change'), cell: (row) => <Difference record={row} /> },
        { key: 'subject', header: t('finance.subject'), wide: true, cell: (row) => row.subject },
      ]}
    />
  );
}

function Difference({ record }: { record: AuditRecord }) {
  const { t } = useTranslation();
  const lines = changed(record.before, record.after);
  if (lines.length === 0) return <span>–</span>;
  return (
    <Stack gap={2}>
      {lines.slice(0, 6).map(([name, before, after]) => (
        <Text key={name} size="xs" component="div" style={{ overflowWrap: 'anywhere' }}>
          {name}: <Code>{before}</Code> → <Code>{after}</Code>
        </Text>
      ))}
      {lines.length > 6 && (
        <Text size="xs" c="dimmed">
          {t('admin.more_fields', { count: lines.length - 6 })}
        </Text>
      )}
    </Stack>
  );
}

function changed(before: unknown, after: unknown): [string, string, string][] {
  const fields = (value: unknown) =>
    (value !== null && typeof value === 'object' ? value : {}) as Record<string, unknown>;
  const [old, fresh] = [fields(before), fields(after)];
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    .map((name): [string, string, string] => [name, written(old[name]), written(fresh[name])])
    .filter(([, was, is]) => was !== is);
}

function written(value: unknown): string {
  const text = value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
