import { Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** Nothing to show: says what would be here and how it comes about. */
export function EmptyState({ title, text, children }: { title: string; text: string; children?: ReactNode }) {
  return (
    <Stack align="center" gap="sm" className={classes.empty ?? ''}>
      <Title order={2} fz="h3" ta="center">
        {title}
      </Title>
      <Text c="dimmed" ta="center" maw="32rem">
        {text}
      </Text>
      {children}
    </Stack>
  );
}
