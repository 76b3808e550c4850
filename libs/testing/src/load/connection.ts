import type { Entitlement, Shown, View } from '../checker/checker.js';
import type { ViewRecorder } from '../checker/recorder.js';
import type { ChatClient } from '../clients/chat-client.js';
import type { CaughtUp } from './catching-up.js';

/** One in the sequence of a user who comes back when a connection is cut. */
export interface Connection {
  readonly client: ChatClient;
  readonly recorder: ViewRecorder;
  /** Null for the first, made before any message, and for clients that never sync: the gateway replays to them. */
  readonly caughtUp: CaughtUp | null;
}

/** Of each conversation the seq up to which the user has everything, over all the connections. */
export function seenOn(connections: readonly Connection[]): Map<string, number> {
  const seqs = new Map<string, Set<number>>();
  for (const { conversation, seq } of shownOn(connections)) {
    const known = seqs.get(conversation);
    if (known) known.add(seq);
    else seqs.set(conversation, new Set([seq]));
  }
  const seen = new Map<string, number>();
  for (const [conversation, known] of seqs) {
    let last = 0;
    while (known.has(last + 1)) last += 1;
    seen.set(conversation, last);
  }
  return seen;
}

/**
 * What the user was shown, for the checker. By each connection for itself, which may have missed something when it was
 * cut or came later; by the last one what came after it was bound, completely; and by all of them together, with what
 * was asked for in between, everything. `sentAgain`: contents of messages that may be answered more than once.
 */
export function viewsOf(
  connections: readonly Connection[],
  rights: ReadonlyMap<string, Entitlement>,
  sentAgain: ReadonlySet<string> = new Set(),
): View[] {
  const views = connections.map(({ recorder }) => {
    const view = recorder.view(rights);
    const shown = view.shown.map((each) => ({ ...each, answer: each.answer || sentAgain.has(each.content) }));
    return { ...view, shown };
  });
  if (views.length === 1) return views;
  const partly = views.map((view) => ({
    ...view,
    entitled: withRights(rights, () => ({ complete: false })),
  }));
  const last = views.at(-1)!;
  const heads = connections.at(-1)!.caughtUp?.heads;
  const back = heads ? [backIn(last, heads)] : [];
  return [...partly, ...back, together(last.viewer, connections, rights)];
}

/** From where on the connection was given everything live. */
function backIn({ viewer, shown, entitled }: View, heads: ReadonlyMap<string, number>): View {
  const after = (name: string) => heads.get(name) ?? 0;
  return {
    viewer: `${viewer}, back`,
    shown: shown.filter(({ conversation, seq }) => seq > after(conversation)),
    entitled: withRights(entitled, (right, name) => ({ after: Math.max(right.after, after(name)) })),
  };
}

/** In no order: what the one connection had, another may have been given again. */
function together(
  viewer: string,
  connections: readonly Connection[],
  rights: ReadonlyMap<string, Entitlement>,
): View {
  const live = connections.flatMap(({ recorder }) => recorder.shown);
  // Who is a member may ask for what was said before; whose stay was short has a right to less when it is shown live.
  const askedFor = connections
    .flatMap(({ caughtUp }) => caughtUp?.shown ?? [])
    .filter(({ conversation }) => rights.get(conversation)?.complete !== false);
  const shown = [...live, ...askedFor].map((each) => ({ ...each, answer: true }));
  return { viewer: `${viewer}, all connections`, shown, entitled: rights };
}

function* shownOn(connections: readonly Connection[]): Iterable<Shown> {
  for (const { recorder, caughtUp } of connections) {
    yield* recorder.shown;
    if (caughtUp) yield* caughtUp.shown;
  }
}

function withRights(
  rights: ReadonlyMap<string, Entitlement>,
  change: (right: Entitlement, name: string) => Partial<Entitlement>,
): Map<string, Entitlement> {
  return new Map([...rights].map(([name, right]) => [name, { ...right, ...change(right, name) }]));
}
