import type { Alteration, Edit } from '@starling/testing';

/** A place of the product at which a process can be made to kill itself. */
interface Point {
  /** Whose process passes it. */
  readonly app: string;
  readonly file: string;
  /** The statement behind the point. */
  readonly find: string;
  /** What is waited for before the process dies; an expression of the place. */
  readonly after?: string;
}

const LEADER = 'apps/message-store/src/partitions/partition-leader.js';

export const POINTS = {
  /** A batch is committed; nobody was told anything. */
  'store between commit and reply': {
    app: 'message-store',
    file: LEADER,
    find: 'submits.forEach((received, index) => {\n            const outcome = plan.outcomes[index];',
  },
  /** A batch is committed and its senders have their acknowledgements; nothing was emitted. */
  'store between commit and emit': {
    app: 'message-store',
    file: LEADER,
    find: 'delivery.deliver(plan.messages.map(({ message }) => message), traces);',
    after: 'reader.connection.nats.flush()',
  },
  /** A change of a membership is committed with its outbox row; nobody was told of it. */
  'groups between commit and publish': {
    app: 'groups',
    file: 'apps/groups/src/outbox/outbox-publisher.js',
    find: 'await this.publisher.publish(event);',
  },
} as const satisfies Record<string, Point>;

export type PointName = keyof typeof POINTS;

/** By which a process kills itself, as by `kill -9`, when it passes the point for the n-th time, from 1. */
export function killedAt(point: PointName, pass: number): Alteration {
  const { file, find, after }: Point = POINTS[point];
  const kill = `process.kill(process.pid, 'SIGKILL')`;
  // Who is killed later does nothing more here: what calls these functions waits for what they return.
  const die = after === undefined ? kill : `return ${after}.then(() => ${kill})`;
  const count = 'globalThis.starlingPasses = (globalThis.starlingPasses ?? 0) + 1';
  const edit: Edit = { file, find, replace: `if ((${count}) === ${pass}) { ${die}; }\n${find}` };
  return { name: `killed at the pass ${pass} of "${point}"`, edits: [edit] };
}
