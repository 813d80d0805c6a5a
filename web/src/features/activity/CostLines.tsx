// What a charge is made of.

import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { GenerationDetail } from '../../api/app_types';
import { formatUsd, placesOf, shift } from '../../money/decimal';
import { formatCount } from '../../ui/numbers';
import { Usd } from '../../ui/Usd';
import classes from './activity.module.css';

export function CostLines({ data }: { data: GenerationDetail }) {
  const { t, i18n } = useTranslation();
  const lines = data.cost_lines ?? [];
  const places = Math.max(placesOf(data.cost), ...lines.map((line) => placesOf(line.amount)));
  return (
    <>
      <table className={classes.cost}>
        <tbody>
          {lines.map((line) => (
            <tr key={line.kind}>
              <th scope="row">{costName(line.kind, t)}</th>
              <td className={classes.sum}>
                {formatCount(line.quantity, i18n.language)} × {unitPrice(line.kind, line.unit_price, i18n.language)}
              </td>
              <td>
                <Usd amount={line.amount} places={places} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('generation.total')}</th>
            <td />
            <td>
              <Usd amount={data.cost} places={places} />
            </td>
          </tr>
        </tfoot>
      </table>
      {data.transaction_id && (
        <Anchor size="sm" renderRoot={(props) => <Link to="/credits" search={{ generation: data.id }} {...props} />}>
          {t('activity.transaction')}
        </Anchor>
      )}
    </>
  );
}

const COSTS = [
  'uncached_input',
  'cache_read',
  'cache_write5m',
  'cache_write1h',
  'image_input',
  'audio_input',
  'text_output',
  'reasoning',
  'image_output',
  'audio_output',
  'request',
] as const;

function costName(kind: string, t: TFunction): string {
  const known = COSTS.find((one) => one === kind);
  return known ? t(`price.${known}`) : kind;
}

/** Prices are told per million, as everywhere; a request's is its own. */
function unitPrice(kind: string, price: string | number, language: string): string {
  if (kind === 'request') return formatUsd(price, language) ?? '–';
  return `${formatUsd(shift(price, 6) ?? '', language) ?? '–'}/M`;
}
