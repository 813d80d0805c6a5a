import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { EmptyState } from '../ui/EmptyState';

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <EmptyState title={t('error.not_found_title')} text={t('error.not_found_text')}>
      <Button renderRoot={(props) => <Link to="/" {...props} />}>{t('error.home')}</Button>
    </EmptyState>
  );
}
