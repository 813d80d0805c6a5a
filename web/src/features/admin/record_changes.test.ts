import { describe, expect, it } from 'vitest';
import { changedFields, subjectName } from './record_changes';

const changes = (before: unknown, after: unknown) => changedFields(before, after, 'en');

describe('a record of changes', () => {
  it('shows only what is another now', () => {
    expect(changes({ name: 'a', weight: 1 }, { name: 'a', weight: 2 })).toEqual([
      { name: 'weight', before: '1', after: '2' },
    ]);
  });

  it('leaves out what was empty and still is', () => {
    expect(changes(null, { name: 'a', note: null })).toEqual([{ name: 'name', before: null, after: 'a' }]);
  });

  it('puts ids, hashes and moments last', () => {
    const made = { id: 'x', hash: 'y', created_at: 'z', account_id: 'u', name: 'Production', disabled: false };
    expect(changes(null, made).map(({ name }) => name)).toEqual([
      'name',
      'disabled',
      'id',
      'hash',
      'created_at',
      'account_id',
    ]);
  });

  it('writes nano-dollars as money, to the last digit', () => {
    expect(changes(null, { limit_nanos: '50000000001', amount: '5000000000' })).toEqual([
      { name: 'limit', before: null, after: '$50.000000001' },
      { name: 'amount', before: null, after: '$5.00' },
    ]);
  });

  it('cuts long values', () => {
    expect(changes(null, { text: 'a'.repeat(200) })[0]?.after).toHaveLength(81);
  });

  it('is about what people named it', () => {
    expect(subjectName(null, { id: '1', name: 'Production' })).toBe('Production');
    expect(subjectName({ email: 'a@example.com' }, null)).toBe('a@example.com');
    expect(subjectName(null, { id: '1' })).toBeNull();
    expect(subjectName(undefined, 'text')).toBeNull();
  });
});
