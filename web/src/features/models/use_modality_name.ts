import { useWords } from '../../ui/words';

/** Says what `modalities` gives: `image` goes in, `→audio` comes out. */
export function useModalityName(): (modality: string) => string {
  const word = useWords('modality');
  return (modality) => (modality.startsWith('→') ? `→ ${word(modality.slice(1))}` : word(modality));
}
