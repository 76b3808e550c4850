import type { ReceivedSubmit, SubmitOutcome } from '@starling/bus';
import { parseConversation, storedBody, type ConversationKey, type ErrorName } from '@starling/protocol';
import type {
  DedupeKey,
  Head,
  HeadMove,
  NewMessage,
  StoredOutcome,
} from '../repository/message-repository.js';

/** What is to become of one submit before seqs are given. */
export type Verdict =
  | { readonly kind: 'store'; readonly membershipVersion: number }
  | { readonly kind: 'refuse'; readonly error: ErrorName };

export interface JudgedSubmit {
  readonly received: ReceivedSubmit;
  readonly dedupeKey: DedupeKey;
  /** Counts only when the message is not stored yet: a retry gets its first answer whoever left meanwhile. */
  readonly verdict: Verdict;
}

/** What one commit will write and, once it is made, each submit's answer, in the order of the submits. */
export interface BatchPlan {
  readonly messages: readonly NewMessage[];
  readonly heads: readonly HeadMove[];
  readonly outcomes: readonly SubmitOutcome[];
}

/** Gives seqs. Duplicates and refusals take none, so that none leaves a hole. */
export function planBatch(
  submits: readonly JudgedSubmit[],
  stored: ReadonlyMap<string, StoredOutcome>,
  headOf: (conversation: ConversationKey) => Head,
  serverTime: number,
): BatchPlan {
  const messages: NewMessage[] = [];
  const moves = new Map<ConversationKey, HeadMove>();
  const first = new Map(stored);

  const outcomes = submits.map(({ received, dedupeKey: { key }, verdict }): SubmitOutcome => {
    const { submit, position } = received;
    const earlier = first.get(key);
    if (earlier) return { kind: 'stored', ...earlier, duplicate: true };
    if (verdict.kind === 'refuse') return { kind: 'refused', error: verdict.error };

    const move =
      moves.get(submit.conversation) ?? firstMove(submit.conversation, headOf(submit.conversation));
    const seq = move.to.seq + 1;
    messages.push({
      dedupeKey: key,
      message: {
        conversation: submit.conversation,
        seq,
        messageId: submit.messageId,
        sender: submit.sender,
        serverTime,
        partition: submit.partition,
        position,
        previousPosition: move.to.position,
        membershipVersion: verdict.membershipVersion,
        body: storedBody(submit.fields, { messageId: submit.messageId, seq, serverTime }),
      },
    });
    moves.set(submit.conversation, { ...move, to: { seq, position } });
    const outcome: StoredOutcome = { messageId: submit.messageId, seq, serverTime };
    first.set(key, outcome);
    return { kind: 'stored', ...outcome, duplicate: false };
  });
  return { messages, heads: [...moves.values()], outcomes };
}

function firstMove(key: ConversationKey, head: Head): HeadMove {
  const conversation = parseConversation(key);
  const participants = conversation.kind === 'private' ? [...new Set(conversation.users)] : [];
  return { conversation: key, from: head.seq, to: head, participants };
}
