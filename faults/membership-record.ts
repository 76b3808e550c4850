import os from 'node:os';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { MembershipEvent } from '@starling/bus';
import { groupConversation } from '@starling/protocol';
import type { Stage } from './stage.js';

const STREAM = 'MEMBERSHIP';
const FETCH_EXPIRES_MS = 5_000;

interface StoredVersion {
  readonly seq: number;
  readonly membershipVersion: number;
}

/**
 * What was really the case, whoever was told of it when: the changes of memberships as published, and the version of
 * its group by which each message was let into the store.
 */
export class MembershipRecord {
  private constructor(
    private readonly events: readonly MembershipEvent[],
    private readonly messages: ReadonlyMap<string, readonly StoredVersion[]>,
  ) {}

  /** Of the groups named, from the end of the stage's run. */
  static async read(stage: Stage, groups: readonly string[]): Promise<MembershipRecord> {
    const [events, messages] = await Promise.all([
      eventsOf(stage.engines.nats.url, new Set(groups)),
      messagesOf(stage.cluster.databaseUrl, groups),
    ]);
    return new MembershipRecord(events, messages);
  }

  /**
   * The first seq that the user had a right to by joining the group, which may not be stored yet; null when they never
   * became a member.
   */
  firstSeqOf(userId: string, groupId: string): number | null {
    const became = this.changeOf(userId, groupId, ({ change }) => change === 'added');
    return became && this.seqFrom(groupId, became.version);
  }

  /**
   * The last seq that the user had a right to before the change by which they left the group; null when they have not
   * left. A pod that delivers a later one has applied that change.
   */
  lastSeqOf(userId: string, groupId: string): number | null {
    const left = this.changeOf(userId, groupId, ({ role }) => role === null);
    return left && this.seqFrom(groupId, left.version) - 1;
  }

  private changeOf(
    userId: string,
    groupId: string,
    isIt: (event: MembershipEvent) => boolean,
  ): MembershipEvent | null {
    const isOf = (event: MembershipEvent) => event.groupId === groupId && event.userId === userId;
    return this.events.find((event) => isOf(event) && isIt(event)) ?? null;
  }

  /** Of the first message that was let in by the version or a later one; the seq of the next one when there is none. */
  private seqFrom(groupId: string, version: number): number {
    const messages = this.messages.get(groupId)!;
    const first = messages.find(({ membershipVersion }) => membershipVersion >= version);
    return first?.seq ?? messages.length + 1;
  }
}

async function eventsOf(natsUrl: string, groups: ReadonlySet<string>): Promise<MembershipEvent[]> {
  const nats = await connect({ servers: natsUrl });
  try {
    const { state } = await (await jetstreamManager(nats)).streams.info(STREAM);
    const consumer = await jetstream(nats).consumers.get(STREAM);
    const events: MembershipEvent[] = [];
    const messages = await consumer.fetch({ max_messages: state.messages, expires: FETCH_EXPIRES_MS });
    for await (const message of messages) events.push(message.json<MembershipEvent>());
    if (events.length !== state.messages) throw new Error(`${STREAM} could not be read to its end`);
    return events.filter(({ groupId }) => groups.has(groupId));
  } finally {
    await nats.close();
  }
}

async function messagesOf(
  databaseUrl: string,
  groups: readonly string[],
): Promise<Map<string, StoredVersion[]>> {
  const { mongo } = await import('mongoose');
  // The driver imports it in a way that jest refuses, and then says nothing of itself, which servers refuse.
  const client = await mongo.MongoClient.connect(databaseUrl, { runtimeAdapters: { os } });
  try {
    const messages = client.db().collection<StoredVersion & { conversation: string }>('messages');
    const found = groups.map(async (groupId) => {
      const conversation = groupConversation(groupId);
      const stored = await messages.find({ conversation }).sort({ seq: 1 }).toArray();
      return [groupId, stored] as const;
    });
    return new Map(await Promise.all(found));
  } finally {
    await client.close();
  }
}
