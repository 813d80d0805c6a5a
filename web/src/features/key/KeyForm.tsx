import { Button, Group, PasswordInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isKey, useKey } from './store';

/** Takes a key for this tab, or forgets it. */
export function KeyForm() {
  const { t } = useTranslation();
  const { key, use, forget } = useKey();
  const queries = useQueryClient();
  const [text, setText] = useState(key);
  const [malformed, setMalformed] = useState(false);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const trimmed = text.trim();
    setMalformed(!isKey(trimmed));
    if (isKey(trimmed)) use(trimmed);
  };

  return (
    <form onSubmit={submit}>
      <Group align="flex-start" gap="sm">
        <PasswordInput
          flex="1 1 18rem"
          label={t('key.label')}
          description={t('key.hint')}
          placeholder={t('key.placeholder')}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setMalformed(false);
          }}
          error={malformed ? t('key.malformed') : undefined}
          autoComplete="off"
          spellCheck={false}
        />
        <Group gap="xs" mt={{ base: 0, xs: '2.75rem' }}>
          <Button type="submit" disabled={text.trim() === '' || text.trim() === key}>
            {t('key.use')}
          </Button>
          {key !== '' && (
            <Button
              variant="default"
              onClick={() => {
                forget();
                setText('');
                queries.removeQueries({ predicate: (query) => query.queryKey[0] !== 'models' });
              }}
            >
              {t('key.forget')}
            </Button>
          )}
        </Group>
      </Group>
    </form>
  );
}
