import { Collapse, Group, NumberInput, Textarea, UnstyledButton } from '@mantine/core';
import { useDisclosure, useId } from '@mantine/hooks';
import { useTranslation } from 'react-i18next';
import classes from './playground.module.css';

export interface Settings {
  system: string;
  maxTokens: number | null;
  temperature: number | null;
  topP: number | null;
}

export const DEFAULT_SETTINGS: Settings = { system: '', maxTokens: null, temperature: null, topP: null };

export function SettingsPanel({ settings, onChange }: { settings: Settings; onChange: (settings: Settings) => void }) {
  const { t } = useTranslation();
  const id = useId();
  const [opened, { toggle }] = useDisclosure(false);
  const number = (value: string | number) => (typeof value === 'number' ? value : null);
  return (
    <div>
      <UnstyledButton onClick={toggle} aria-expanded={opened} aria-controls={id} className={classes.settings ?? ''}>
        <span aria-hidden="true">{opened ? '▾' : '▸'}</span> {t('playground.settings')}
      </UnstyledButton>
      <Collapse id={id} expanded={opened}>
        <Textarea
          mt="xs"
          label={t('playground.system')}
          value={settings.system}
          onChange={(event) => onChange({ ...settings, system: event.currentTarget.value })}
          autosize
          minRows={2}
          maxRows={8}
        />
        <Group mt="sm" grow>
          <NumberInput
            label={t('playground.max_tokens')}
            placeholder={t('playground.model_default')}
            value={settings.maxTokens ?? ''}
            onChange={(value) => onChange({ ...settings, maxTokens: number(value) })}
            min={1}
            max={1_000_000}
            allowDecimal={false}
          />
          <NumberInput
            label={t('playground.temperature')}
            placeholder={t('playground.model_default')}
            value={settings.temperature ?? ''}
            onChange={(value) => onChange({ ...settings, temperature: number(value) })}
            min={0}
            max={2}
            step={0.1}
            decimalScale={2}
          />
          <NumberInput
            label="Top P"
            placeholder={t('playground.model_default')}
            value={settings.topP ?? ''}
            onChange={(value) => onChange({ ...settings, topP: number(value) })}
            min={0}
            max={1}
            step={0.05}
            decimalScale={2}
          />
        </Group>
      </Collapse>
    </div>
  );
}
