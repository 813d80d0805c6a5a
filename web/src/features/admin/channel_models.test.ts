import { expect, it } from 'vitest';
import type { ChannelModel } from '../../api/app_types';
import { changedCost, embeddingModels, modelOf, rowOf } from './channel_models';

it('keeps what the form does not show', () => {
  const model: ChannelModel = {
    id: 'acme/one',
    upstream: 'one',
    context_length: 8192,
    price: { prompt: '0.15', completion: '0.60', cache_read: '0.075' },
  };
  const row = { ...rowOf(model), completion: ' 0.65 ' };
  expect(modelOf(row)).toEqual({ ...model, price: { prompt: '0.15', completion: '0.65', cache_read: '0.075' } });
});

it('says free for prices of nothing, and only then', () => {
  expect(modelOf({ ...rowOf(null), id: 'a/b', prompt: '0', completion: '0.00' })).toEqual({ id: 'a/b', price: 'free' });
  expect(modelOf({ ...rowOf(null), id: 'a/b', prompt: '0', completion: '0.01' }).price).toEqual({
    prompt: '0',
    completion: '0.01',
  });
});

it('takes away the name at the provider when it was emptied', () => {
  const model: ChannelModel = { id: 'acme/one', upstream: 'one', price: 'free' };
  expect(modelOf({ ...rowOf(model), upstream: ' ' })).toEqual({ id: 'acme/one', price: 'free' });
});

it('keeps a model for embeddings one, makes one of a model that was typed, and takes that back', () => {
  const model: ChannelModel = {
    id: 'a/embed',
    output_modalities: ['embeddings'],
    price: { prompt: '1', completion: '0' },
  };
  expect(modelOf(rowOf(model))).toEqual(model);
  const typed = { ...rowOf(null), id: 'a/embed', prompt: '1', embeds: true };
  expect(modelOf(typed)).toEqual(model);
  expect(modelOf({ ...rowOf(model), embeds: false, completion: '2' })).toEqual({
    id: 'a/embed',
    price: { prompt: '1', completion: '2' },
  });
  const speaks: ChannelModel = { id: 'a/voice', output_modalities: ['text', 'audio'], price: 'free' };
  expect(modelOf(rowOf(speaks))).toEqual(speaks);
});

it('knows a model for embeddings by any channel that says so', () => {
  const price = { prompt: '1', completion: '0' };
  const embeds: ChannelModel = { id: 'a/embed', output_modalities: ['embeddings'], price };
  const channels = [
    {
      models: [
        { id: 'a/free-output', price },
        { id: 'a/embed', price },
      ],
    },
    { models: [embeds, { id: 'a/voice', output_modalities: ['text', 'audio'], price }] },
  ];
  expect([...embeddingModels(channels)]).toEqual(['a/embed']);
});

it('sends a cost only where another was typed', () => {
  const now = { prompt: '0.4', completion: '1.2', cache_read: '0.1' };
  expect(changedCost(now, '0.4', '1.2')).toBeUndefined();
  expect(changedCost(now, '', '1.2')).toBeUndefined();
  expect(changedCost('free', '0', '0')).toBeUndefined();
  expect(changedCost(now, '0.5', ' 1.2')).toEqual({ prompt: '0.5', completion: '1.2', cache_read: '0.1' });
  expect(changedCost(null, '0', '0')).toBe('free');
});
