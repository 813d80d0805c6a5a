import { TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import classes from './ui.module.css';

export interface DayRange {
  from?: string | undefined;
  to?: string | undefined;
}

/** From a day to a day, both included; either may be left open. */
export function DateRange({ from, to, onChange }: DayRange & { onChange: (change: DayRange) => void }) {
  const { t } = useTranslation();
  const field = (label: string, value: string | undefined, change: (day: string | undefined) => DayRange) => (
    <TextInput
      size="xs"
      type="date"
      label={label}
      classNames={{ root: classes.day ?? '', label: classes.dayLabel ?? '' }}
      value={value ?? ''}
      onChange={(event) => onChange(change(event.currentTarget.value || undefined))}
    />
  );
  return (
    <div className={classes.days}>
      {field(t('common.from'), from, (day) => ({ from: day }))}
      {field(t('common.to'), to, (day) => ({ to: day }))}
    </div>
  );
}
