import type { StoredMessage } from '@starling/bus';
import type { Config } from '@starling/config';

/** No answer may take more of a connection's outbound buffer, or it would close a reader that keeps up. */
const SHARE_OF_BUFFER = 4;

/** How many messages fit into one answer; at least one always does. */
export class AnswerBudget {
  private left: number;

  constructor(config: Config) {
    this.left = config.MAX_OUTBOUND_BYTES / SHARE_OF_BUFFER;
  }

  /** The longest beginning that fits. */
  oldest(messages: readonly StoredMessage[]): readonly StoredMessage[] {
    let fitting = 0;
    while (fitting < messages.length && this.fits(messages[fitting]!, fitting === 0)) fitting++;
    return messages.slice(0, fitting);
  }

  /** The longest end that fits. */
  newest(messages: readonly StoredMessage[]): readonly StoredMessage[] {
    let from = messages.length;
    while (from > 0 && this.fits(messages[from - 1]!, from === messages.length)) from--;
    return messages.slice(from);
  }

  /** Takes what will be sent anyway. */
  spend(message: StoredMessage | null): void {
    if (message !== null) this.left -= sizeOf(message);
  }

  private fits(message: StoredMessage, isFirst: boolean): boolean {
    const size = sizeOf(message);
    if (size > this.left && !isFirst) return false;
    this.left -= size;
    return true;
  }
}

/** Bytes at most: three for each character. */
function sizeOf({ body }: StoredMessage): number {
  return Buffer.byteLength(body) + 64;
}
