import { UnstyledButton } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './ui.module.css';

/** A row's name that opens everything about it. */
export function RowLink({ onClick, label, children }: { onClick: () => void; label?: string; children: ReactNode }) {
  return (
    <UnstyledButton className={classes.rowLink ?? ''} onClick={onClick} {...(label ? { 'aria-label': label } : {})}>
      {children}
    </UnstyledButton>
  );
}
