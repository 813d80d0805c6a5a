import { Checkbox, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Model } from '../../api/types';
import { DataTable } from '../../ui/DataTable';
import { formatTokens } from '../../ui/tokens';
import { useComparison } from './comparison';
import classes from './models.module.css';
import { PerMillion } from './Price';
import { answers, modalities } from './select';
import { useModalityName } from './use_modality_name';

export function ModelTable({ models }: { models: readonly Model[] }) {
  const { t, i18n } = useTranslation();
  const modalityName = useModalityName();
  const { ids, toggle } = useComparison();
  return (
    <DataTable
      label={t('models.title')}
      rows={models}
      rowKey={(model) => model.id}
      columns={[
        {
          key: 'name',
          header: t('playground.model'),
          heading: true,
          cell: (model) => (
            <div>
              <ModelName model={model} />
              <Text size="xs" c="dimmed" component="div">
                {model.id}
              </Text>
            </div>
          ),
        },
        {
          key: 'input',
          header: t('models.input'),
          numeric: true,
          cell: (model) => <PerMillion perToken={model.pricing.prompt} />,
        },
        {
          key: 'output',
          header: t('models.output'),
          numeric: true,
          cell: (model) => <PerMillion perToken={answers(model) ? model.pricing.completion : null} />,
        },
        {
          key: 'context',
          header: t('models.context_title'),
          numeric: true,
          cell: (model) => (model.context_length === null ? '–' : formatTokens(model.context_length, i18n.language)),
        },
        {
          key: 'modalities',
          header: t('models.modalities'),
          wide: true,
          cell: (model) => modalities(model).map(modalityName).join(', ') || '–',
        },
        {
          key: 'compare',
          header: t('models.compare'),
          cell: (model) => (
            <Checkbox
              size="xs"
              aria-label={`${t('models.compare')}: ${model.name}`}
              checked={ids.includes(model.id)}
              onChange={() => toggle(model.id)}
            />
          ),
        },
      ]}
    />
  );
}

export function ModelName({ model }: { model: { id: string; name: string } }) {
  const [author = '', ...rest] = model.id.split('/');
  return (
    <Link to="/models/$author/$slug" params={{ author, slug: rest.join('/') }} className={classes.name ?? ''}>
      {model.name}
    </Link>
  );
}
