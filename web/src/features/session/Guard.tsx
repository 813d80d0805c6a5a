// Pages for some people only: the sign-in page first, and a plain word where a role may not look.

import { Skeleton, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useRouter } from '@tanstack/react-router';
import { type ReactNode, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { sessionQuery } from '../../api/app_queries';
import type { Role } from '../../api/app_types';
import { EmptyState } from '../../ui/EmptyState';
import { ErrorState } from '../../ui/ErrorState';
import { useViewer, type Viewer } from './store';

interface Allowed {
  /** Any of these roles in the account; everybody signed in when left out. */
  roles?: readonly Role[];
  /** Platform administrators only. */
  admin?: boolean;
  children: (viewer: Viewer & { account: NonNullable<Viewer['account']> }) => ReactNode;
}

export function Guard({ roles, admin, children }: Allowed) {
  const { t } = useTranslation();
  const session = useQuery(sessionQuery);
  const viewer = useViewer();
  if (session.isPending)
    return (
      <Stack aria-busy="true" aria-label={t('common.loading')}>
        <Skeleton height={36} width="14rem" />
        <Skeleton height={180} radius="lg" />
      </Stack>
    );
  if (session.isError) return <ErrorState error={session.error} onRetry={() => session.refetch()} />;
  if (!viewer) return <SignInFirst />;
  if (admin && !viewer.isAdmin) return <EmptyState title={t('guard.title')} text={t('guard.admin')} />;
  const { account } = viewer;
  if (account === null)
    return admin ? (
      children({ ...viewer, account: NO_ACCOUNT })
    ) : (
      <EmptyState title={t('guard.no_account_title')} text={t('guard.no_account')} />
    );
  if (roles && !roles.includes(account.role))
    return (
      <EmptyState
        title={t('guard.title')}
        text={t('guard.role', { role: t(`role.${account.role}`), account: account.name })}
      />
    );
  return children({ ...viewer, account });
}

/** Leads to the sign-in page and back to where somebody wanted to go: once, whatever the address becomes meanwhile. */
function SignInFirst() {
  const router = useRouter();
  const navigate = useNavigate();
  useEffect(() => {
    navigate({ to: '/sign-in', search: { return_to: router.state.location.href }, replace: true });
  }, [navigate, router]);
  return null;
}

/** An administrator of the platform may belong to no account. */
const NO_ACCOUNT = { id: '', name: '', role: 'analyst', status: 'active' } as const;
