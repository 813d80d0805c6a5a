import type { UseQueryResult } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { AuthorShare } from '../../api/app_types';
import { Change } from '../../ui/Change';
import { EmptyState } from '../../ui/EmptyState';
import { QueryView } from '../../ui/QueryView';
import { ShareBar } from '../../ui/ShareBar';
import { Surface } from '../../ui/Surface';
import classes from './rankings.module.css';

/** How the whole is shared between those who make the models. */
export function AuthorShares({ query }: { query: UseQueryResult<AuthorShare[]> }) {
  const { t } = useTranslation();
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
                <ShareBar share={row.share} />
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
