import { Button, NativeSelect, Skeleton, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useRouterState } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { sessionQuery } from '../api/app_queries';
import { call } from '../api/client';
import { BalanceLine } from '../features/credits/BalanceLine';
import { endSession } from '../features/session/end_session';
import { useAccountChoice, useViewer, type Viewer } from '../features/session/store';
import {
  ActivityIcon,
  AdminIcon,
  CreditsIcon,
  FinanceIcon,
  HomeIcon,
  KeyIcon,
  ModelsIcon,
  PlaygroundIcon,
  RankingsIcon,
  SettingsIcon,
} from '../ui/icons';
import { Logo } from '../ui/Logo';
import { useFailureToast } from '../ui/use_failure_toast';
import { Language, Theme } from './Appearance';
import classes from './Layout.module.css';
import { isActive, type NavItem, navigationFor } from './navigation';

const ICONS: Record<NavItem['key'], () => React.ReactNode> = {
  'nav.home': HomeIcon,
  'nav.models': ModelsIcon,
  'nav.rankings': RankingsIcon,
  'nav.playground': PlaygroundIcon,
  'nav.activity': ActivityIcon,
  'nav.credits': CreditsIcon,
  'nav.keys': KeyIcon,
  'nav.settings': SettingsIcon,
  'nav.finance': FinanceIcon,
  'nav.admin': AdminIcon,
};

/** Pages above, the person below. */
export function Sidebar() {
  const { t } = useTranslation();
  const viewer = useViewer();
  const isKnown = !useQuery(sessionQuery).isPending;
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <div className={classes.sidebar}>
      <Link to="/" className={classes.brand ?? ''}>
        <Logo size={28} />
        <Text fw={700} fz="lg" component="span">
          {t('app.name')}
        </Text>
      </Link>
      <nav aria-label={t('app.navigation')} className={classes.nav}>
        {navigationFor(viewer).map((group) => (
          <div key={group.key}>
            <div className={classes.group}>{t(group.key)}</div>
            {group.items.map((item) => {
              const Icon = ICONS[item.key];
              return (
                <Link
                  key={item.to}
                  to={item.to}
                  className={classes.link ?? ''}
                  {...(isActive(item.to, path) ? { 'data-active': true, 'aria-current': 'page' as const } : {})}
                >
                  <Icon />
                  {t(item.key)}
                </Link>
              );
            })}
          </div>
        ))}
      </nav>
      <div className={classes.foot}>
        {viewer ? <Person viewer={viewer} /> : isKnown ? <SignInLink /> : <Skeleton height={36} radius="md" />}
        <div className={classes.choices}>
          <Language />
          <Theme />
        </div>
      </div>
    </div>
  );
}

function SignInLink() {
  const { t } = useTranslation();
  const here = useRouterState({ select: (state) => state.location.href });
  const search = /^\/(sign-in|invitations)/.test(here) || here === '/' ? {} : { return_to: here };
  return (
    <Button renderRoot={(props) => <Link to="/sign-in" search={search} {...props} />} fullWidth>
      {t('session.sign_in')}
    </Button>
  );
}

function Person({ viewer }: { viewer: Viewer }) {
  const { t } = useTranslation();
  const choose = useAccountChoice((state) => state.choose);
  const { session, account } = viewer;
  return (
    <div className={classes.person}>
      {account && <BalanceLine account={account.id} />}
      {session.accounts.length > 1 && account && (
        <NativeSelect
          size="xs"
          aria-label={t('session.account')}
          value={account.id}
          onChange={(event) => choose(event.currentTarget.value)}
          data={session.accounts.map(({ id, name }) => ({ value: id, label: name }))}
        />
      )}
      <div className={classes.name}>
        <Text size="sm" fw={550} truncate title={session.user.email}>
          {session.user.name || session.user.email}
        </Text>
        <SignOut />
      </div>
    </div>
  );
}

function SignOut() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const failed = useFailureToast();
  const signOut = useMutation({
    mutationFn: () => call('POST', '/auth/sign-out'),
    onSuccess: () => endSession(queries),
    onError: failed,
  });
  return (
    <Button
      variant="subtle"
      color="gray"
      size="compact-sm"
      fw={500}
      onClick={() => signOut.mutate()}
      loading={signOut.isPending}
    >
      {t('session.sign_out')}
    </Button>
  );
}
