/** What everybody did and saw in a run, in the words of the promises. Conversations have any unambiguous name. */
export interface Run {
  /** Each message once, however often it was retried. */
  readonly sent: readonly Sent[];
  /** Every conversation as the store gives it at the end, in the order of history. */
  readonly stored: ReadonlyMap<string, readonly Message[]>;
  /** One for each connection; of who came back also one of all their connections together. */
  readonly views: readonly View[];
}

export interface Sent {
  readonly conversation: string;
  readonly sender: string;
  /** `1` and `"1"` are two ids. */
  readonly id: number | string;
  readonly content: string;
  /** What the first successful answer said; null when none came. */
  readonly acknowledged: { readonly messageId: string; readonly seq: number } | null;
}

export interface Message {
  readonly conversation: string;
  readonly seq: number;
  readonly messageId: string;
  readonly sender: string;
  readonly id: number | string;
  readonly content: string;
}

export interface Shown {
  readonly conversation: string;
  readonly seq: number;
  readonly messageId: string;
  readonly content: string;
  /**
   * It was asked for: it answered this connection's own send, or sync or history brought it. So it keeps no order, and
   * may repeat what was shown.
   */
  readonly answer: boolean;
}

export interface View {
  /** Names the connection in verdicts. */
  readonly viewer: string;
  /** In order of arrival. */
  readonly shown: readonly Shown[];
  /** What the connection had a right to, by conversation; absent: nothing. */
  readonly entitled: ReadonlyMap<string, Entitlement>;
}

export interface Entitlement {
  /** Exclusive: what is at or below was there before the connection was bound or the user a member. */
  readonly after: number;
  /** Inclusive; null: to the end. */
  readonly upTo: number | null;
  /** False for a connection that was cut: it may have missed something, but not out of order. */
  readonly complete: boolean;
}

const VERDICTS_PER_RULE = 5;

/**
 * Judges a run against the promises; each verdict begins with the rule that was broken, none means that all held.
 * - `lost`: what was acknowledged is stored;
 * - `stored twice`: each message is stored once;
 * - `wrong answer`: an acknowledgement names the seq and id under which the message is stored;
 * - `invented`: what is stored was sent;
 * - `seq`: each conversation's seqs are 1, 2, 3 … n; `message id`: no two messages have the same id;
 * - `stranger`: nobody is shown what is not theirs;
 * - `shown twice`, `order`, `missed`: members see everything once, in the order of the seqs;
 * - `altered`: what is shown is what is stored.
 */
export function judge(run: Run): string[] {
  const verdicts = new Verdicts();
  const bySend = judgeStore(run, verdicts);
  for (const sent of run.sent) judgeSent(sent, bySend.get(keyOfSend(sent)) ?? [], verdicts);
  for (const view of run.views) judgeView(view, run.stored, verdicts);
  return verdicts.all();
}

function judgeStore(run: Run, verdicts: Verdicts): Map<string, Message[]> {
  const sent = new Set(run.sent.map(keyOfSend));
  const bySend = new Map<string, Message[]>();
  const ids = new Set<string>();
  for (const [conversation, messages] of run.stored) {
    messages.forEach((message, index) => {
      const where = `${conversation} seq ${message.seq}`;
      if (message.seq !== index + 1) verdicts.add('seq', `${where} stands at place ${index + 1}`);
      if (ids.has(message.messageId)) verdicts.add('message id', `${message.messageId} again at ${where}`);
      ids.add(message.messageId);
      const key = keyOfSend(message);
      if (!sent.has(key)) verdicts.add('invented', `${where}: nobody sent ${key}`);
      const same = bySend.get(key);
      if (same) same.push(message);
      else bySend.set(key, [message]);
    });
  }
  return bySend;
}

function judgeSent(sent: Sent, stored: readonly Message[], verdicts: Verdicts): void {
  const what = `${sent.sender}'s ${JSON.stringify(sent.id)} in ${sent.conversation}`;
  if (stored.length > 1)
    verdicts.add('stored twice', `${what} at seqs ${stored.map(({ seq }) => seq).join(', ')}`);
  const { acknowledged } = sent;
  if (!acknowledged) return;
  const [message] = stored;
  if (!message) {
    verdicts.add('lost', `${what}, acknowledged as seq ${acknowledged.seq}`);
  } else if (message.seq !== acknowledged.seq || message.messageId !== acknowledged.messageId) {
    verdicts.add(
      'wrong answer',
      `${what} is ${message.seq} ${message.messageId}, acknowledged ${acknowledged.seq} ${acknowledged.messageId}`,
    );
  }
}

function judgeView(view: View, stored: Run['stored'], verdicts: Verdicts): void {
  const progress = new Map<string, { last: number; seen: Set<number>; answered: Set<number> }>();
  for (const shown of view.shown) {
    const { conversation, seq } = shown;
    const what = `${view.viewer}: seq ${seq} of ${conversation}`;
    const entitled = view.entitled.get(conversation);
    if (!entitled || seq <= entitled.after || (entitled.upTo !== null && seq > entitled.upTo)) {
      verdicts.add('stranger', what);
    }
    const message = stored.get(conversation)?.[seq - 1];
    if (message?.messageId !== shown.messageId || message.content !== shown.content) {
      verdicts.add('altered', `${what} was shown as ${shown.messageId} ${shown.content.slice(0, 50)}`);
    }
    let state = progress.get(conversation);
    if (!state) progress.set(conversation, (state = { last: 0, seen: new Set(), answered: new Set() }));
    if (shown.answer) {
      state.answered.add(seq);
      continue;
    }
    if (state.seen.has(seq) || state.answered.has(seq)) verdicts.add('shown twice', what);
    else if (seq < state.last) verdicts.add('order', `${what} after seq ${state.last}`);
    state.seen.add(seq);
    state.last = Math.max(state.last, seq);
  }
  for (const [conversation, entitled] of view.entitled) {
    if (!entitled.complete) continue;
    const state = progress.get(conversation);
    const end = entitled.upTo ?? stored.get(conversation)?.length ?? 0;
    for (let seq = entitled.after + 1; seq <= end; seq++) {
      if (!state?.seen.has(seq) && !state?.answered.has(seq)) {
        verdicts.add('missed', `${view.viewer}: seq ${seq} of ${conversation}`);
      }
    }
  }
}

function keyOfSend({ conversation, sender, id, content }: Sent | Message): string {
  return JSON.stringify([conversation, sender, id, content]);
}

/** A broken rule tends to be broken thousands of times; a few say as much. */
class Verdicts {
  private readonly byRule = new Map<string, { shown: string[]; more: number }>();

  add(rule: string, what: string): void {
    let found = this.byRule.get(rule);
    if (!found) this.byRule.set(rule, (found = { shown: [], more: 0 }));
    if (found.shown.length < VERDICTS_PER_RULE) found.shown.push(`${rule}: ${what}`);
    else found.more++;
  }

  all(): string[] {
    return [...this.byRule].flatMap(([rule, { shown, more }]) =>
      more > 0 ? [...shown, `${rule}: and ${more} more`] : shown,
    );
  }
}
