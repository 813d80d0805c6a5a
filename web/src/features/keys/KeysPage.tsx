import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { keysQuery } from '../../api/app_queries';
import type { Key } from '../../api/app_types';
import { CodeBlock } from '../../ui/CodeBlock';
import { EmptyState } from '../../ui/EmptyState';
import { PageHeader } from '../../ui/PageHeader';
import { QueryView } from '../../ui/QueryView';
import { useLiveInterval } from '../live/store';
import { Guard } from '../session/Guard';
import { KEY_MAKERS } from '../session/store';
import { KeyForm } from './KeyForm';
import { KeyTable } from './KeyTable';

export function KeysPage() {
  return <Guard roles={KEY_MAKERS}>{({ account }) => <Keys account={account.id} />}</Guard>;
}

function Keys({ account }: { account: string }) {
  const { t } = useTranslation();
  const keys = useQuery({ ...keysQuery(account), refetchInterval: useLiveInterval() });
  const [opened, { open, close }] = useDisclosure(false);
  const [edited, setEdited] = useState<Key | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const create = (
    <Button
      onClick={() => {
        setEdited(null);
        open();
      }}
    >
      {t('keys.create')}
    </Button>
  );
  return (
    <>
      <PageHeader title={t('keys.title')} lead={t('keys.lead')}>
        {create}
      </PageHeader>
      <QueryView
        query={keys}
        height={320}
        empty={
          <EmptyState title={t('keys.empty_title')} text={t('keys.empty')}>
            {create}
          </EmptyState>
        }
      >
        {(rows) => (
          <KeyTable
            account={account}
            keys={rows}
            onEdit={(key) => {
              setEdited(key);
              open();
            }}
          />
        )}
      </QueryView>
      <Modal
        opened={opened}
        onClose={close}
        title={t(edited ? 'keys.edit' : 'keys.create')}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <KeyForm
          account={account}
          edited={edited}
          onDone={(key) => {
            close();
            if (key.key) setSecret(key.key);
          }}
        />
      </Modal>
      <Secret secret={secret} onClose={() => setSecret(null)} />
    </>
  );
}

/** Shown once: closing it is a decision, so neither a click beside it nor Escape does. */
function Secret({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal
      opened={secret !== null}
      onClose={onClose}
      title={t('keys.secret_title')}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
      size="lg"
    >
      <Stack gap="md">
        <Text size="sm">{t('keys.secret')}</Text>
        {secret !== null && <CodeBlock code={secret} label={t('keys.secret_title')} />}
        <Alert color="yellow" variant="light" title={t('keys.secret_once')} />
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('keys.secret_kept')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
