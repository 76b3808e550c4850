import type { ConversationKey } from '@starling/protocol';
import type { UnsavedDeliveries } from './user-deliveries.js';

/** Of one request: NATS takes 1 MiB by default. */
const SAVE_BYTES = 768 << 10;

/** At most: names and numbers in JSON, with their punctuation. */
const ENTRY_BYTES = 60;
const POSITION_BYTES = 17;
const CURSOR_BYTES = 50;
/** Of a character of a user id: control characters are escaped. Keys are ASCII. */
const ID_CHARACTER_BYTES = 6;

/**
 * The requests by which the deliveries are saved, in order. A user's cursors that do not fit into one go on in the next
 * without a base: they join what is kept then.
 */
export function* replaySaves(unsaved: readonly UnsavedDeliveries[]): Generator<UnsavedDeliveries[]> {
  let save: UnsavedDeliveries[] = [];
  let size = 0;
  for (const { userId, base, cursors } of unsaved) {
    const ownSize = ENTRY_BYTES + userId.length * ID_CHARACTER_BYTES;
    const baseSize = (base?.length ?? 0) * POSITION_BYTES;
    const whole = cursors.reduce((sum, cursor) => sum + sizeOf(cursor), ownSize + baseSize);
    if (size + whole > SAVE_BYTES && save.length > 0) {
      yield save;
      save = [];
      size = 0;
    }
    let entry: UnsavedDeliveries = { userId, base, cursors: [] };
    save.push(entry);
    size += ownSize + baseSize;
    for (const cursor of cursors) {
      if (size + sizeOf(cursor) > SAVE_BYTES && entry.cursors.length > 0) {
        yield save;
        entry = { userId, base: null, cursors: [] };
        save = [entry];
        size = ownSize;
      }
      entry.cursors.push(cursor);
      size += sizeOf(cursor);
    }
  }
  if (save.length > 0) yield save;
}

function sizeOf({ conversation }: { conversation: ConversationKey }): number {
  return CURSOR_BYTES + conversation.length;
}
