// What happens when a session ends, by the person's own doing or not: what they could see is not for whoever comes next.

import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { sessionQuery } from '../../api/app_queries';
import { whenUnauthenticated } from '../../api/client';
import { useKey } from '../key/store';
import { forgetConversations } from '../playground/conversation_store';

/** Whom a cache's answers are for. */
const persons = new WeakMap<QueryClient, string>();

/** Leaves nothing of the person behind: no key, no conversations, no answers. */
export function endSession(queries: QueryClient): void {
  persons.delete(queries);
  queries.setQueryData(sessionQuery.queryKey, null);
  forgetPerson(queries);
}

/** Does the same when the session ended elsewhere, or became somebody else's. */
export function useEndedSession(): void {
  const queries = useQueryClient();
  const session = useQuery(sessionQuery).data;
  const id = session === undefined ? undefined : (session?.user.id ?? null);
  useEffect(() => {
    if (id === undefined) return;
    const before = persons.get(queries);
    if (before !== undefined && before !== id) forgetPerson(queries);
    // It ended while the app was not open. A key that was pasted is a visitor's own.
    else if (id === null && useKey.getState().made !== null) useKey.getState().forget();
    if (id === null) persons.delete(queries);
    else persons.set(queries, id);
  }, [id, queries]);
  // An answer that says nobody is signed in says it about the whole page.
  useEffect(
    () =>
      whenUnauthenticated(() => {
        if (queries.getQueryData(sessionQuery.queryKey))
          queries.refetchQueries({ queryKey: sessionQuery.queryKey }, { cancelRefetch: false });
      }),
    [queries],
  );
}

function forgetPerson(queries: QueryClient): void {
  useKey.getState().forget();
  forgetConversations();
  queries.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionQuery.queryKey[0] });
}
