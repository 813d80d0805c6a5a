import type { TFunction } from 'i18next';

export function statusName(status: string, t: TFunction): string {
  return status === 'active' || status === 'suspended' || status === 'disabled' || status === 'closed'
    ? t(`account_status.${status}`)
    : status;
}
