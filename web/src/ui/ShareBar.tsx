import { useTranslation } from 'react-i18next';
import { formatShare } from './numbers';
import classes from './ui.module.css';

/** A share of the whole (0 to 1): its length, and the number beside it. */
export function ShareBar({ share }: { share: number | null | undefined }) {
  const { i18n } = useTranslation();
  const percent = Math.max(0, Math.min(100, (share ?? 0) * 100));
  return (
    <span className={classes.share}>
      <span className={classes.shareBar} aria-hidden="true">
        <span style={{ width: `${percent}%` }} />
      </span>
      <span className={classes.shareNumber}>{formatShare(share, i18n.language)}</span>
    </span>
  );
}
