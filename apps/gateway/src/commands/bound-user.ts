import { Refusal } from '@starling/protocol';
import type { Session } from '../connection/session.js';

/** Who the sender is the connection says: a packet may repeat it or say nothing. Refuses with NOT_THE_BOUND_USER. */
export function mustBeBoundUser(session: Session, ...claimed: (string | null | undefined)[]): void {
  for (const userId of claimed) {
    if (userId !== null && userId !== undefined && userId !== session.userId)
      throw new Refusal('NOT_THE_BOUND_USER');
  }
}
