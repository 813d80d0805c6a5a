// Which parameters of a request models understand, as people compare them: what all share, and where they differ.

export interface ComparedParameters {
  /** Understood by every model. */
  shared: string[];
  /** Understood by some, with who does: in the order of the models. */
  differing: { name: string; by: boolean[] }[];
}

interface Understands {
  supported_parameters?: readonly string[] | null;
}

export function compareParameters(models: readonly Understands[]): ComparedParameters {
  const sets = models.map((model) => new Set(model.supported_parameters ?? []));
  const names = [...new Set(sets.flatMap((set) => [...set]))].sort((a, b) => a.localeCompare(b));
  const rows = names.map((name) => ({ name, by: sets.map((set) => set.has(name)) }));
  return {
    shared: rows.filter(({ by }) => by.every(Boolean)).map(({ name }) => name),
    differing: rows.filter(({ by }) => !by.every(Boolean)),
  };
}
