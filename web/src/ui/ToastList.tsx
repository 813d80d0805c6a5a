import { useTranslation } from 'react-i18next';
import { useToasts } from './toasts';
import classes from './ui.module.css';

/** The place where short messages appear; read out by screen readers. */
export function ToastList() {
  const { t } = useTranslation();
  const { toasts, dismiss } = useToasts();
  return (
    <div className={classes.toasts} role="status" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className={classes.toast} data-tone={toast.tone}>
          <span>{toast.text}</span>
          {toast.undo && (
            <button
              type="button"
              className={classes.toastButton}
              onClick={() => {
                toast.undo?.();
                dismiss(toast.id);
              }}
            >
              {t('common.undo')}
            </button>
          )}
          <button
            type="button"
            className={classes.toastButton}
            aria-label={t('common.close')}
            onClick={() => dismiss(toast.id)}
          >
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
