import { Text, type TextProps } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { type DecimalText, formatUsd } from '../money/decimal';

/** An amount in US dollars, every digit of it. */
export function Usd({ amount, ...text }: { amount: DecimalText | null | undefined } & TextProps) {
  const { i18n } = useTranslation();
  const written = amount === null || amount === undefined ? null : formatUsd(amount, i18n.language);
  return (
    <Text component="span" inherit {...text}>
      {written ?? '–'}
    </Text>
  );
}
