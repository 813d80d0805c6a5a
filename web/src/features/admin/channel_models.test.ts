import { expect, it } from 'vitest';
import type { ChannelModel } from '../../api/app_types';
import { modelOf, rowOf } from './channel_models';

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
