import { Button, type ButtonProps, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ErrorState } from './ErrorState';

interface ConfirmProps extends ButtonProps {
  /** What the button that opens the question says. */
  children: ReactNode;
  title: string;
  text: ReactNode;
  /** What the button that does it says. */
  confirm: string;
  action: () => Promise<unknown>;
  'aria-label'?: string;
}

/** A button whose act cannot simply be taken back: asks first, says what will happen, stays open when it fails. */
export function ConfirmButton({ children, title, text, confirm, action, ...button }: ConfirmProps) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const act = useMutation({ mutationFn: action, onSuccess: close });
  return (
    <>
      <Button variant="default" size="xs" {...button} onClick={open}>
        {children}
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={title}
        centered
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <Stack gap="md">
          <Text component="div" size="sm">
            {text}
          </Text>
          {act.isError && <ErrorState error={act.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              {t('common.cancel')}
            </Button>
            <Button color="red" onClick={() => act.mutate()} loading={act.isPending}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
