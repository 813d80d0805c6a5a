import { Text, type TextProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type DecimalText, formatUsd, placesOf } from '../money/decimal';
import classes from './ui.module.css';

interface UsdProps extends TextProps {
  amount: DecimalText | null | undefined;
  /** Digits behind the point that the amounts above and below have: keeps the points under each other. */
  places?: number;
}

/** An amount in US dollars, every digit of it. */
export function Usd({ amount, places = 0, ...text }: UsdProps) {
  const { i18n } = useTranslation();
  const written = amount === null || amount === undefined ? null : formatUsd(amount, i18n.language);
  const missing = amount === null || amount === undefined ? 0 : Math.max(0, places - placesOf(amount));
  return (
    <Text component="span" inherit {...text}>
      {written ?? '–'}
      {written !== null && missing > 0 && <span className={classes.pad}>{'0'.repeat(missing)}</span>}
    </Text>
  );
}

/** Digits behind the point that are read at a glance. */
const CENTS = 2;

/** An amount that stands large: all its digits, those behind the cents smaller. */
export function LargeUsd({ amount }: { amount: DecimalText | null | undefined }) {
  const { i18n } = useTranslation();
  const written = amount === null || amount === undefined ? null : formatUsd(amount, i18n.language);
  if (written === null) return <span>–</span>;
  const fraction = placesOf(amount ?? '');
  const cut = written.length - Math.max(0, fraction - CENTS);
  return (
    <span>
      {written.slice(0, cut)}
      <span className={classes.tail}>{written.slice(cut)}</span>
    </span>
  );
}
