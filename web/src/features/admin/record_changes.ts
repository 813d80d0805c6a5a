// What a record of changes says, for people: the fields that changed, those first that tell something.

import { formatUsd, shift } from '../../money/decimal';

export interface ChangedField {
  name: string;
  /** Null where it was not there. */
  before: string | null;
  after: string | null;
}

type Fields = Record<string, unknown>;

/** Ids, hashes and moments say little to people; when and who stand in columns of their own. */
const TECHNICAL = /^(id|hash|version|revision)$|_(id|hash|by|at|version)$/;
const LONGEST_VALUE = 80;

export function changedFields(before: unknown, after: unknown, language: string): ChangedField[] {
  const [old, fresh] = [fieldsOf(before), fieldsOf(after)];
  const changed = [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    .map((name) => ({
      name: name.replace(/_nanos$/, ''),
      before: written(name, old[name], language),
      after: written(name, fresh[name], language),
    }))
    .filter((field) => field.before !== field.after);
  const plain = (field: ChangedField) => !isTechnical(field.name);
  return [...changed.filter(plain), ...changed.filter((field) => !plain(field))];
}

export function isTechnical(name: string): boolean {
  return TECHNICAL.test(name);
}

/** What the change was made to, by the name people gave it. */
export function subjectName(before: unknown, after: unknown): string | null {
  const fields = { ...fieldsOf(before), ...fieldsOf(after) };
  const name = [fields.name, fields.label, fields.email, fields.note].find((one) => typeof one === 'string' && one);
  return (name as string | undefined) ?? null;
}

function fieldsOf(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : {};
}

function written(name: string, value: unknown, language: string): string | null {
  if (value === undefined || value === null) return null;
  // Records hold amounts as the ledger does: whole nano-dollars.
  if (/^(amount|threshold)$|_nanos$/.test(name) && /^-?\d+$/.test(String(value)))
    return formatUsd(shift(String(value), -9) ?? '0', language);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
