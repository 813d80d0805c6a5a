// A channel's models as rows of a form. What the form does not show is kept as it was.

import type { Channel, ChannelModel, Prices } from '../../api/app_types';

export interface ModelRow {
  key: string;
  id: string;
  upstream: string;
  prompt: string;
  completion: string;
  /** Gives embeddings and answers nothing. */
  embeds: boolean;
  /** The model as it came, with the fields that have no place in the form. */
  rest: ChannelModel | null;
}

const EMBEDDINGS = 'embeddings';

let nextKey = 1;

function embedsOnly(model: ChannelModel | null): boolean {
  return model?.output_modalities?.includes(EMBEDDINGS) ?? false;
}

/** Models that give embeddings and answer nothing: there is no output to pay for. One channel that says so is enough. */
export function embeddingModels(channels: readonly Pick<Channel, 'models'>[]): ReadonlySet<string> {
  return new Set(channels.flatMap(({ models }) => models.filter(embedsOnly).map(({ id }) => id)));
}

export function rowOf(model: ChannelModel | null): ModelRow {
  const price: Prices = model === null || model.price === 'free' ? {} : model.price;
  const free = model?.price === 'free';
  return {
    key: `row-${nextKey++}`,
    id: model?.id ?? '',
    upstream: model?.upstream ?? '',
    prompt: free ? '0' : String(price.prompt ?? ''),
    completion: free ? '0' : String(price.completion ?? ''),
    embeds: embedsOnly(model),
    rest: model,
  };
}

export function modelOf(row: ModelRow): ChannelModel {
  const before: Prices = row.rest === null || row.rest.price === 'free' ? {} : row.rest.price;
  const { upstream: _, output_modalities: given, ...rest } = row.rest ?? {};
  // Others give what they gave before: that has no place in the form.
  const gives = row.embeds ? [EMBEDDINGS] : embedsOnly(row.rest) ? undefined : given;
  return {
    ...rest,
    ...(gives ? { output_modalities: gives } : {}),
    id: row.id.trim(),
    // Left out when it was emptied: then the provider knows the model by its id.
    ...(row.upstream.trim() === '' ? {} : { upstream: row.upstream.trim() }),
    price: priceOf(before, row.prompt, row.embeds ? '0' : row.completion),
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

/** What a provider charges, where somebody typed another than it is now; undefined where it stays. */
export function changedCost(
  now: Prices | 'free' | null,
  prompt: string,
  completion: string,
): Prices | 'free' | undefined {
  const before: Prices = now === null || now === 'free' ? {} : now;
  const is = (typed: string, name: string) => typed.trim() === textOf(now, name);
  if (prompt.trim() === '' || completion.trim() === '') return undefined;
  return is(prompt, 'prompt') && is(completion, 'completion') ? undefined : priceOf(before, prompt, completion);
}

/** One of the prices as it stands in a field. */
export function textOf(prices: Prices | 'free' | null, name: string): string {
  return prices === 'free' ? '0' : String(prices?.[name] ?? '');
}
