import { useExplained } from './ErrorState';
import { useToasts } from './toasts';

/** Says in the reader's language, and in passing, that something somebody did has failed. */
export function useFailureToast(): (error: Error) => void {
  const explained = useExplained();
  const show = useToasts((state) => state.show);
  return (error) => show({ text: explained(error).text, tone: 'failed' });
}
