import type { UseQueryResult } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { AuthorShare } from '../../api/app_types';
import { Change } from '../../ui/Change';
import { EmptyState } from '../../ui/EmptyState';
import { formatShare } from '../../ui/numbers';
import { QueryView } from '../../ui/QueryView';
import { Surface } from '../../ui/Surface';
import classes from './rankings.module.css';

/** How the whole is shared between those who make the models. */
export function AuthorShares({ query }: { query: UseQueryResult<AuthorShare[]> }) {
  const { t, i18n } = useTranslation();
  return (
    <QueryView
      query={query}
      height={160}
      empty={<EmptyState title={t('rankings.empty_title')} text={t('rankings.empty')} />}
    >
      {(rows) => (
        <Surface>
          <ol className={classes.authors}>
            {rows.map((row) => (
              <li key={row.author} className={classes.author}>
                <span>{row.author}</span>
                <span className={classes.bar} aria-hidden="true">
                  <span style={{ width: `${Math.round((row.share ?? 0) * 100)}%` }} />
                </span>
                <span className={classes.number}>{formatShare(row.share, i18n.language)}</span>
                <span className={classes.number}>
                  <Change value={row.change} />
                </span>
              </li>
            ))}
          </ol>
        </Surface>
      )}
    </QueryView>
  );
}
