import { Button, Group, NativeSelect, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AdminModel, Prices } from '../../api/app_types';
import { call } from '../../api/client';
import { ErrorState } from '../../ui/ErrorState';
import { useToasts } from '../../ui/toasts';
import { changedCost, priceOf, textOf } from './channel_models';

type Offer = AdminModel['channels'][number];

/** A price for a model on one of its channels, from now on or from a moment. */
export function NewPrice({ model, embeds }: { model: AdminModel; embeds: boolean }) {
  const { t } = useTranslation();
  const [channel, setChannel] = useState(model.channels[0]?.channel_id ?? '');
  const offer = model.channels.find(({ channel_id }) => channel_id === channel);
  return (
    <div>
      <Text fw={600} mb={4}>
        {t('admin.new_price')}
      </Text>
      <Text size="sm" c="dimmed" mb="sm">
        {t('admin.new_price_text')} {t('admin.effective_hint')}
      </Text>
      <Group align="flex-end" gap="sm">
        <NativeSelect
          label={t('admin.channel')}
          value={channel}
          onChange={(event) => setChannel(event.currentTarget.value)}
          data={model.channels.map((one) => ({ value: one.channel_id, label: one.channel_name }))}
        />
        {/* Every channel has prices of its own to begin with. */}
        {offer && <PriceForm key={channel} model={model.id} offer={offer} embeds={embeds} />}
      </Group>
    </div>
  );
}

function PriceForm({ model, offer, embeds }: { model: string; offer: Offer; embeds: boolean }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const show = useToasts((state) => state.show);
  const { price: current } = offer;
  const before: Prices = current && current !== 'free' ? current : {};
  const [fields, setFields] = useState({
    prompt: textOf(current, 'prompt'),
    completion: textOf(current, 'completion'),
    costPrompt: textOf(offer.cost, 'prompt'),
    costCompletion: textOf(offer.cost, 'completion'),
  });
  const [from, setFrom] = useState('');
  const save = useMutation({
    mutationFn: () => {
      // A model that embeds has no fields for its output.
      const completion = embeds ? '0' : fields.completion;
      const costCompletion = embeds ? textOf(offer.cost, 'completion') || '0' : fields.costCompletion;
      const cost = changedCost(offer.cost, fields.costPrompt, costCompletion);
      return call('POST', '/api/app/admin/price-versions', {
        channel_id: offer.channel_id,
        model,
        price: priceOf(before, fields.prompt, completion),
        ...(cost === undefined ? {} : { cost }),
        ...(from === '' ? {} : { effective_at: new Date(from).toISOString() }),
      });
    },
    onSuccess: () => {
      show({ text: t('common.saved'), tone: 'done' });
      queries.invalidateQueries({ queryKey: ['admin'] });
      queries.invalidateQueries({ queryKey: ['models'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const amount = (name: keyof typeof fields, label: string, required = true) => (
    <TextInput
      w="8rem"
      label={label}
      value={fields[name]}
      onChange={(event) => setFields({ ...fields, [name]: event.currentTarget.value })}
      inputMode="decimal"
      required={required}
    />
  );
  return (
    <form onSubmit={submit}>
      <Group align="flex-end" gap="sm">
        {amount('prompt', t('models.input'))}
        {!embeds && amount('completion', t('models.output'))}
        {amount('costPrompt', t('admin.cost_input'), false)}
        {!embeds && amount('costCompletion', t('admin.cost_output'), false)}
        <TextInput
          type="datetime-local"
          label={t('admin.effective')}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <Button type="submit" loading={save.isPending}>
          {t(from === '' ? 'admin.set_price' : 'admin.schedule_price')}
        </Button>
      </Group>
      {save.isError && <ErrorState error={save.error} />}
    </form>
  );
}
