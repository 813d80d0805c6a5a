// A channel's models as rows of a form. What the form does not show is kept as it was.

import type { ChannelModel, Prices } from '../../api/app_types';

export interface ModelRow {
  key: string;
  id: string;
  upstream: string;
  prompt: string;
  completion: string;
  /** The model as it came, with the fields that have no place in the form. */
  rest: ChannelModel | null;
}

let nextKey = 1;

export function rowOf(model: ChannelModel | null): ModelRow {
  const price: Prices = model === null || model.price === 'free' ? {} : model.price;
  const free = model?.price === 'free';
  return {
    key: `row-${nextKey++}`,
    id: model?.id ?? '',
    upstream: model?.upstream ?? '',
    prompt: free ? '0' : String(price.prompt ?? ''),
    completion: free ? '0' : String(price.completion ?? ''),
    rest: model,
  };
}

export function modelOf(row: ModelRow): ChannelModel {
  const before: Prices = row.rest === null || row.rest.price === 'free' ? {} : row.rest.price;
  const { upstream: _, ...rest } = row.rest ?? {};
  return {
    ...rest,
    id: row.id.trim(),
    // Left out when it was emptied: then the provider knows the model by its id.
    ...(row.upstream.trim() === '' ? {} : { upstream: row.upstream.trim() }),
    price: priceOf(before, row.prompt, row.completion),
  };
}

/** Two prices changed, the others kept; `free` when nothing costs anything, which has to be said in so many words. */
export function priceOf(before: Prices, prompt: string, completion: string): Prices | 'free' {
  const price: Prices = { ...before, prompt: prompt.trim(), completion: completion.trim() };
  const nothing = Object.values(price).every(
    (amount) => typeof amount !== 'object' && /^0+(\.0*)?$/.test(String(amount)),
  );
  return nothing ? 'free' : price;
}
