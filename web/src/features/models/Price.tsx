import { useTranslation } from 'react-i18next';
import { type DecimalText, formatUsd, shift } from '../../money/decimal';

/** A price per token, written per million. */
export function PerMillion({ perToken }: { perToken: DecimalText | null | undefined }) {
  const { t, i18n } = useTranslation();
  if (perToken === undefined || perToken === null) return <span>–</span>;
  const perMillion = shift(perToken, 6);
  if (perMillion === null) return <span>–</span>;
  return <span>{/[1-9]/.test(perMillion) ? formatUsd(perMillion, i18n.language) : t('common.free')}</span>;
}
