import type { ChatItem } from '../wire.js';
import type { ItemRecord } from './chat.model.js';

/**
 * An item as this viewer may see it: a removed one is only its number. `mine` is told to its author
 * alone. `called` says what fans are called now, where that was read; a host goes by the athlete's
 * name.
 */
export function presentItem(
  item: ItemRecord,
  viewer: string | null,
  called?: ReadonlyMap<string, string>,
): ChatItem {
  if (item.removed) return { n: item.n };
  const shown: ChatItem = {
    n: item.n,
    kind: item.kind,
    id: item._id,
    by: {
      name: (item.by.role === 'host' ? undefined : called?.get(item.fan)) ?? item.by.name,
      role: item.by.role,
    },
    text: item.text,
    lang: item.lang,
    at: new Date(item.at).toISOString(),
  };
  return viewer !== null && viewer === item.fan
    ? { ...shown, mine: true, clientId: item.clientId }
    : shown;
}

/**
 * An item as a whole room may see it, encoded once for everybody: the client knows its own by the
 * id in its acknowledgement.
 */
export const presentForRoom = (item: ItemRecord): ChatItem => ({
  ...presentItem(item, null),
  clientId: item.clientId,
});
