// The API's own words (`usage.settled`, `provider_unavailable`) as the reader says them.

import { useTranslation } from 'react-i18next';

type Group = 'act' | 'actor' | 'api_type' | 'audited' | 'book' | 'error_type' | 'ledger_event' | 'modality';

/** Says words of a group in the reader's language; a word that is not known there stays as it came. */
export function useWords(group: Group): (word: string) => string {
  const { t, i18n } = useTranslation();
  return (word) => {
    const key = `${group}.${word.replaceAll(/[.-]/g, '_')}`;
    return i18n.exists(key) ? t(key as never) : word;
  };
}
