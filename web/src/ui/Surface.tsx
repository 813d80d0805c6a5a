import { Box, type BoxProps } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** A card: what belongs together. */
export function Surface({ children, ...box }: BoxProps & { children: ReactNode }) {
  return (
    <Box p="lg" {...box} className={classes.card ?? ''}>
      {children}
    </Box>
  );
}
