import { ActionIcon, Text } from '@mantine/core';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { lazy, type MouseEvent, Suspense, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useEndedSession } from '../features/session/end_session';
import { useApplyPreferences } from '../features/session/preferences';
import { useViewer } from '../features/session/store';
import { FailureScope } from '../ui/FailureScope';
import { CloseIcon, MenuIcon } from '../ui/icons';
import { Logo } from '../ui/Logo';
import { ToastList } from '../ui/ToastList';
import classes from './Layout.module.css';
import { Sidebar } from './Sidebar';

const Live = lazy(() => import('../features/live/Live').then(({ Live }) => ({ default: Live })));

export function Layout() {
  const { t } = useTranslation();
  const viewer = useViewer();
  useApplyPreferences();
  // Keeps who is signed in known on every page.
  useEndedSession();
  return (
    <div className={classes.frame}>
      <a href="#content" className="skip">
        {t('app.skip')}
      </a>
      <aside className={classes.side}>
        <Sidebar />
      </aside>
      <TopBar />
      <main id="content" tabIndex={-1} className={classes.main}>
        <FailureScope>
          <Outlet />
        </FailureScope>
      </main>
      <ToastList />
      {viewer?.account && (
        <Suspense fallback={null}>
          <Live account={viewer.account.id} />
        </Suspense>
      )}
    </div>
  );
}

/** The pages on a narrow screen, in a dialog of their own. */
function TopBar() {
  const { t } = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: closes when another page is open
  useEffect(() => dialog.current?.close?.(), [path]);
  // The dialog itself is what lies beside its content: the dimmed page. A link may lead to the page that is open.
  const onClick = ({ target }: MouseEvent<HTMLDialogElement>) => {
    if (target === dialog.current || (target instanceof Element && target.closest('a'))) dialog.current?.close();
  };
  return (
    <header className={classes.top}>
      <Link to="/" className={classes.brand ?? ''}>
        <Logo size={26} />
        <Text fw={700} fz="lg" component="span">
          {t('app.name')}
        </Text>
      </Link>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="xl"
        aria-label={t('app.menu')}
        onClick={() => dialog.current?.showModal()}
      >
        <MenuIcon />
      </ActionIcon>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: with the keyboard, Escape closes it */}
      <dialog ref={dialog} className={classes.drawer} aria-label={t('app.menu')} onClick={onClick}>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          className={classes.close ?? ''}
          aria-label={t('common.close')}
          onClick={() => dialog.current?.close()}
        >
          <CloseIcon />
        </ActionIcon>
        <Sidebar />
      </dialog>
    </header>
  );
}
