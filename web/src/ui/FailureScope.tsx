// One calm notice for everything on a page, or in a drawer, that could not be fetched: a gateway that is away fails every
// request at once, and a box for each of them says nothing more than one.

import { createContext, type ReactNode, useCallback, useContext, useEffect, useId, useMemo, useState } from 'react';
import { FailureNotice } from './FailureNotice';

export interface Failure {
  error: Error;
  /** Whether an earlier answer is still shown. */
  isOld: boolean;
  retry: () => Promise<unknown>;
}

type Report = (id: string, failure: Failure | null) => void;

const Scope = createContext<Report | null>(null);

/** Shows above its children what failed in them. */
export function FailureScope({ children }: { children: ReactNode }) {
  const [failures, setFailures] = useState<Readonly<Record<string, Failure>>>({});
  const report = useCallback<Report>((id, failure) => {
    setFailures(({ [id]: before, ...others }) => (failure ? { ...others, [id]: failure } : others));
  }, []);
  const all = useMemo(() => Object.values(failures), [failures]);
  return (
    <Scope value={report}>
      {all.length > 0 && <FailureNotice failures={all} />}
      {children}
    </Scope>
  );
}

interface Asked {
  isError: boolean;
  error: Error | null;
  data: unknown;
  refetch: () => Promise<unknown>;
}

/** Tells the scope about a question that failed. False where there is no scope: then whoever asked shows it. */
export function useFailure({ isError, error, data, refetch }: Asked): boolean {
  const report = useContext(Scope);
  const id = useId();
  const isOld = data !== undefined;
  useEffect(() => {
    if (report === null || !isError || error === null) return;
    report(id, { error, isOld, retry: refetch });
    return () => report(id, null);
  }, [report, id, isError, error, isOld, refetch]);
  return report !== null;
}
