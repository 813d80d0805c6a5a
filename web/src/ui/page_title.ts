import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';

/** What the tab says while a page is shown; the product's name alone where nothing is given. */
export function usePageTitle(title?: string): void {
  const { t } = useTranslation();
  const name = t('app.name');
  useEffect(() => {
    document.title = title ? `${title} · ${name}` : name;
    return () => {
      document.title = name;
    };
  }, [title, name]);
}
