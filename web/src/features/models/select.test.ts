import { expect, it } from 'vitest';
import type { Model } from '../../api/types';
import { answers, choices, modalities, selectModels } from './select';

function model(id: string, prompt: string, created: number, context_length: number, more: Partial<Model> = {}): Model {
  return {
    id,
    name: id.split('/')[1] ?? id,
    created,
    context_length,
    pricing: { prompt, completion: prompt },
    ...more,
  };
}

const MODELS = [
  model('acme/large', '0.00001', 1, 8_000, {
    architecture: { input_modalities: ['text', 'image'], output_modalities: ['text', 'audio'] },
  }),
  model('acme/small', '0.0000005', 3, 128_000, { supported_parameters: ['tools', 'top_k'] }),
  model('other/mid', '0.000002', 2, 32_000),
  model('other/gift', '0', 4, 4_000),
];
const ids = (models: Model[]) => models.map(({ id }) => id);

it('knows which models one can talk to', () => {
  const embeds = { architecture: { input_modalities: ['text'], output_modalities: ['embeddings'] } };
  const embedding = model('acme/embed', '0.00000002', 5, 8_000, embeds);
  expect([...MODELS, embedding].filter((one) => !answers(one))).toEqual([embedding]);
  expect(modalities(embedding)).toEqual(['text', '→embeddings']);
});

it('finds models by all the words asked for', () => {
  expect(ids(selectModels(MODELS, { q: 'ACME l' }))).toEqual(['acme/large', 'acme/small']);
  expect(ids(selectModels(MODELS, { q: 'acme large' }))).toEqual(['acme/large']);
  expect(selectModels(MODELS, { q: 'nothing' })).toEqual([]);
});

it('orders by name, age, exact price and context', () => {
  expect(ids(selectModels(MODELS, {}))).toEqual(['other/gift', 'acme/large', 'other/mid', 'acme/small']);
  expect(ids(selectModels(MODELS, { sort: 'newest' }))[0]).toBe('other/gift');
  expect(ids(selectModels(MODELS, { sort: 'price' }))).toEqual(['other/gift', 'acme/small', 'other/mid', 'acme/large']);
  expect(ids(selectModels(MODELS, { sort: 'context' }))[0]).toBe('acme/small');
});

it('keeps what every filter allows', () => {
  expect(ids(selectModels(MODELS, { modality: 'image' }))).toEqual(['acme/large']);
  expect(ids(selectModels(MODELS, { context: '128000' }))).toEqual(['acme/small']);
  expect(ids(selectModels(MODELS, { price: '0.5' }))).toEqual(['other/gift', 'acme/small']);
  expect(ids(selectModels(MODELS, { author: 'other', price: '1' }))).toEqual(['other/gift']);
  expect(ids(selectModels(MODELS, { parameter: 'tools' }))).toEqual(['acme/small']);
  expect(ids(selectModels(MODELS, { free: true }))).toEqual(['other/gift']);
});

it('offers the values that models have', () => {
  expect(choices(MODELS, modalities)).toEqual(['→audio', 'image', 'text']);
});
