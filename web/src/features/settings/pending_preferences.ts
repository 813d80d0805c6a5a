import type { Preferences } from '../../api/app_types';
import type { PreferencesChange } from '../session/preferences';

/** The preferences as they will be once the changes on their way have arrived, the last one last. */
export function withPending(saved: Preferences, changes: readonly PreferencesChange[]): Preferences {
  let shown = saved;
  for (const { privacy, ...change } of changes)
    shown = { ...shown, ...change, privacy: { ...shown.privacy, ...privacy } };
  return shown;
}
