import { Button, Checkbox, Code, Group, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Model } from '../../api/types';
import { type DecimalText, shift } from '../../money/decimal';
import { CopyButton } from '../../ui/CopyButton';
import { Surface } from '../../ui/Surface';
import { formatTokens } from '../../ui/tokens';
import { useComparison } from './comparison';
import classes from './ModelCard.module.css';
import { ModelName } from './ModelTable';
import { PerMillion } from './Price';
import { answers, modalities } from './select';
import { useModalityName } from './use_modality_name';

export function ModelCard({ model }: { model: Model }) {
  const { t, i18n } = useTranslation();
  const modalityName = useModalityName();
  const { pricing } = model;
  const { ids, toggle } = useComparison();
  const maxOutput = model.top_provider?.max_completion_tokens;
  const tokens = (count: number) => ({ tokens: formatTokens(count, i18n.language) });
  const facts = [
    ...(model.context_length === null ? [] : [t('models.context', tokens(model.context_length))]),
    ...(maxOutput ? [t('models.max_output', tokens(maxOutput))] : []),
    modalities(model).map(modalityName).join(', '),
  ].filter(Boolean);
  return (
    <Surface p="md">
      <Stack gap="sm" h="100%" component="article" aria-label={model.name}>
        <div>
          <Title order={2} fz="md" lineClamp={1} title={model.name}>
            <ModelName model={model} />
          </Title>
          <Group gap={2} wrap="nowrap">
            <Code className={classes.id ?? ''} title={model.id}>
              {model.id}
            </Code>
            <CopyButton value={model.id} label={t('models.copy_id')} />
          </Group>
        </div>
        {model.description && (
          <Text size="sm" c="dimmed" lineClamp={2}>
            {model.description}
          </Text>
        )}
        <dl className={classes.prices}>
          <Price label={t('models.input')} perToken={pricing.prompt} />
          {answers(model) && <Price label={t('models.output')} perToken={pricing.completion} />}
          {differs(pricing.input_cache_read, pricing.prompt) && (
            <Price label={t('models.cache_read')} perToken={pricing.input_cache_read} small />
          )}
          {positive(pricing.request) && (
            <Price label={t('models.request')} perToken={shift(pricing.request ?? '0', -6) ?? undefined} small />
          )}
        </dl>
        <Text size="xs" c="dimmed">
          {facts.join(' · ')}
        </Text>
        <Group justify="space-between" mt="auto" wrap="nowrap" align="center" className={classes.foot ?? ''}>
          <Checkbox
            size="xs"
            label={t('models.compare')}
            aria-label={`${t('models.compare')}: ${model.name}`}
            checked={ids.includes(model.id)}
            onChange={() => toggle(model.id)}
          />
          {answers(model) && (
            <Button
              size="xs"
              variant="default"
              aria-label={`${t('models.try')}: ${model.name}`}
              renderRoot={(props) => <Link to="/playground" search={{ models: model.id }} {...props} />}
            >
              {t('models.try')}
            </Button>
          )}
        </Group>
      </Stack>
    </Surface>
  );
}

function Price({ label, perToken, small }: { label: string; perToken: DecimalText | undefined; small?: boolean }) {
  return (
    <div className={classes.price} data-small={small}>
      <dt>{label}</dt>
      <dd>
        <PerMillion perToken={perToken} />
      </dd>
    </div>
  );
}

function positive(amount: DecimalText | undefined): boolean {
  return amount !== undefined && /[1-9]/.test(String(amount));
}

function differs(price: DecimalText | undefined, base: DecimalText | undefined): boolean {
  return price !== undefined && base !== undefined && shift(price, 0) !== shift(base, 0);
}
