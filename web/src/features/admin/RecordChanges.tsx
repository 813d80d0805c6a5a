import { Button, Code, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useTranslation } from 'react-i18next';
import type { AuditRecord } from '../../api/app_types';
import { type ChangedField, changedFields, isTechnical, subjectName } from './record_changes';

/** What one look takes in; the rest is unfolded, and what only machines read. */
const MOST_AT_FIRST = 3;

export function RecordChanges({ record }: { record: AuditRecord }) {
  const { t, i18n } = useTranslation();
  const [all, { toggle }] = useDisclosure(false);
  const name = subjectName(record.before, record.after);
  // What was made is called by its name already.
  const fields = changedFields(record.before, record.after, i18n.language).filter(
    ({ before, after }) => before !== null || after !== name,
  );
  const telling = fields.filter((field) => !isTechnical(field.name)).length;
  const first = Math.max(1, Math.min(telling, MOST_AT_FIRST));
  if (fields.length === 0) return <span>–</span>;
  return (
    <Stack gap={2} align="flex-start">
      {fields.slice(0, all ? undefined : first).map((field) => (
        <Field key={field.name} field={field} />
      ))}
      {fields.length > first && (
        <Button size="compact-xs" variant="subtle" color="gray" fw={500} onClick={toggle} aria-expanded={all}>
          {all ? t('common.hide') : t('admin.more_fields', { count: fields.length - first })}
        </Button>
      )}
    </Stack>
  );
}

/** What was made has no before, and what is gone no after. */
function Field({ field: { name, before, after } }: { field: ChangedField }) {
  return (
    <Text size="xs" component="div" style={{ overflowWrap: 'anywhere' }}>
      <Text span inherit c="dimmed">
        {name}
      </Text>{' '}
      {before !== null && (
        <>
          <Code>{before}</Code> →{' '}
        </>
      )}
      <Code>{after ?? '–'}</Code>
    </Text>
  );
}
