import { useTranslation } from 'react-i18next';
import classes from './ui.module.css';

/** A change as a share of what was before (0.12 = +12 %), said and not only coloured. */
export function Change({ value }: { value: number | null | undefined }) {
  const { t, i18n } = useTranslation();
  if (value === null || value === undefined) return <span>{t('chart.new')}</span>;
  const text = new Intl.NumberFormat(i18n.language, {
    style: 'percent',
    maximumFractionDigits: Math.abs(value) < 0.1 ? 1 : 0,
    signDisplay: 'exceptZero',
  }).format(value);
  return <span className={value > 0 ? classes.up : value < 0 ? classes.down : ''}>{text}</span>;
}
