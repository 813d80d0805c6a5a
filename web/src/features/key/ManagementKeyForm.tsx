import { Button, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CodeBlock } from '../../ui/CodeBlock';
import { Surface } from '../../ui/Surface';
import { useManagementKey } from './management_key';
import { isKey } from './store';

/** How whoever runs the gateway gets one. */
const COMMAND = 'tollgate keys create --management --name finance';

/** Asks for a management key of the platform; `refusal` says why the last one would not do. */
export function ManagementKeyForm({ refusal }: { refusal?: string | undefined }) {
  const { t } = useTranslation();
  const use = useManagementKey((state) => state.use);
  const [text, setText] = useState('');
  const [told, setTold] = useState(refusal);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const key = text.trim();
    if (isKey(key)) use(key);
    else setTold(t('key.malformed'));
  };
  return (
    <Surface maw="40rem">
      <Title order={2} fz="h4" mb={4}>
        {t('management_key.title')}
      </Title>
      <Text size="sm" c="dimmed" mb="md">
        {t('management_key.text')}
      </Text>
      <form onSubmit={submit}>
        <Stack gap="sm" align="flex-start">
          <PasswordInput
            w="100%"
            label={t('management_key.label')}
            description={t('management_key.hint')}
            placeholder={t('key.placeholder')}
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
              setTold(undefined);
            }}
            error={told}
            visibilityToggleButtonProps={{ 'aria-label': t('session.show_password') }}
            autoComplete="off"
            spellCheck={false}
          />
          <Button type="submit" disabled={text.trim() === ''}>
            {t('key.use')}
          </Button>
        </Stack>
      </form>
      <Text size="sm" c="dimmed" mt="lg" mb={4}>
        {t('management_key.make')}
      </Text>
      <CodeBlock code={COMMAND} label={t('management_key.make')} />
    </Surface>
  );
}
