import { Group, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { usePageTitle } from './page_title';

/** What a page is, and the acts that belong to all of it. */
export function PageHeader({ title, lead, children }: { title: string; lead?: string; children?: ReactNode }) {
  usePageTitle(title);
  return (
    <Group justify="space-between" align="center" gap="md" mb="xl">
      <Stack gap={4}>
        <Title order={1} fz={{ base: '1.5rem', sm: 'h1' }}>
          {title}
        </Title>
        {lead && <Text c="dimmed">{lead}</Text>}
      </Stack>
      {children && <Group gap="sm">{children}</Group>}
    </Group>
  );
}
