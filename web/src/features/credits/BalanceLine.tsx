import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { accountQuery } from '../../api/app_queries';
import { Usd } from '../../ui/Usd';
import { useLiveInterval } from '../live/store';
import classes from './credits.module.css';

/** What can be spent right now, beside the navigation. Marked when it may be old. */
export function BalanceLine({ account }: { account: string }) {
  const { t } = useTranslation();
  const balance = useQuery({ ...accountQuery(account), refetchInterval: useLiveInterval() });
  return (
    <Link to="/credits" className={classes.line ?? ''}>
      <Text size="xs" c="dimmed" component="span">
        {t(balance.isError && balance.data ? 'credits_line.old' : 'credits_line.available')}
      </Text>
      <Text fw={650} component="span">
        {balance.data ? <Usd amount={balance.data.available} /> : '–'}
      </Text>
    </Link>
  );
}
