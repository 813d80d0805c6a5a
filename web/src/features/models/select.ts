// Which models the page shows, and in which order.

import type { Model } from '../../api/types';
import type { ModelOrder, ModelsSearch } from '../../app/search';
import { compare, type DecimalText, shift, sum } from '../../money/decimal';

export function selectModels(models: readonly Model[], filters: ModelsSearch): Model[] {
  const words = (filters.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (model: Model) => {
    const text = `${model.id} ${model.name} ${model.description ?? ''}`.toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      (filters.modality === undefined || modalities(model).includes(filters.modality)) &&
      (filters.context === undefined || (model.context_length ?? 0) >= Number(filters.context)) &&
      (filters.price === undefined || compare(perMillion(model.pricing.prompt), filters.price) <= 0) &&
      (filters.author === undefined || authorOf(model) === filters.author) &&
      (filters.parameter === undefined || (model.supported_parameters ?? []).includes(filters.parameter)) &&
      (filters.free !== true || isFree(model))
    );
  };
  return models.filter(fits).sort(ORDERS[filters.sort ?? 'name']);
}

const byName = (a: Model, b: Model) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id);

const ORDERS: Record<ModelOrder, (a: Model, b: Model) => number> = {
  name: byName,
  newest: (a, b) => b.created - a.created || byName(a, b),
  price: (a, b) => compare(price(a), price(b)) || byName(a, b),
  context: (a, b) => (b.context_length ?? 0) - (a.context_length ?? 0) || byName(a, b),
};

/** One token in and one out; what people compare. */
function price(model: Model): DecimalText {
  return sum([model.pricing.prompt ?? '0', model.pricing.completion ?? '0']) ?? '0';
}

export function perMillion(perToken: DecimalText | undefined): string {
  return shift(perToken ?? '0', 6) ?? '0';
}

export function authorOf(model: Model): string {
  return model.id.split('/')[0] ?? model.id;
}

/** What goes in beside text, and what comes out beside it: `image`, `audio→`. */
export function modalities(model: Model): string[] {
  const { input_modalities: input = [], output_modalities: output = [] } = model.architecture ?? {};
  return [...new Set([...input, ...output.filter((one) => one !== 'text').map((one) => `→${one}`)])];
}

/** Whether one can talk to it: others make embeddings. */
export function answers(model: Model): boolean {
  return !model.architecture?.output_modalities?.includes('embeddings');
}

export function isFree(model: Model): boolean {
  return Object.values(model.pricing).every((amount) => !/[1-9]/.test(String(amount)));
}

/** Every value that some model has, for the filters. */
export function choices(models: readonly Model[], of: (model: Model) => readonly string[]): string[] {
  return [...new Set(models.flatMap(of))].sort((a, b) => a.localeCompare(b));
}
