import type { Edit } from '@starling/testing';
import type { CONDITIONS } from './alterations/conditions.js';
import type { Exercise } from './exercises/talk.js';
import { emitsAreLost } from './exercises/emits-are-lost.js';
import { leavingIsHeardOfLate } from './exercises/leaving-is-heard-of-late.js';
import { memberLeaves } from './exercises/member-leaves.js';
import { membersComeBack } from './exercises/members-come-back.js';
import { messagesAreRetried } from './exercises/messages-are-retried.js';
import { pairTalks } from './exercises/pair-talks.js';
import { storeDiesWhileCommitting } from './exercises/store-dies-while-committing.js';
import { storeStandsStill } from './exercises/store-stands-still.js';

/** Something wrong with the product that the checker must notice. */
export interface DeliberateBug {
  readonly name: string;
  readonly app: keyof typeof CONDITIONS;
  readonly edits: readonly Edit[];
  /** In which it does harm, and which the product as it is passes. */
  readonly exercise: Exercise;
  /** Rules of the checker that are broken then, each of them. */
  readonly broken: readonly string[];
}

const LEADER = 'apps/message-store/src/partitions/partition-leader.js';
const PLAN = 'apps/message-store/src/partitions/batch-plan.js';
const REPOSITORY = 'apps/message-store/src/repository/mongo-message-repository.js';
const FEED = 'apps/gateway/src/feed/feed.js';
const MEMBERSHIP = 'apps/gateway/src/membership/gateway-membership.js';

const COMMIT = 'const result = await this.commit(this.batchOf(submits, plan));';
const RECEIVED_BEFORE = 'if (feed.delivered !== null && event.seq <= feed.delivered) {';
const RECEIVED_EARLY = 'if (!feed.pending.add(new Delivery(event)))';

export const DELIBERATE_BUGS: readonly DeliberateBug[] = [
  {
    name: 'reply before commit',
    app: 'message-store',
    edits: [
      {
        file: LEADER,
        find: COMMIT,
        replace: `submits.forEach((received, index) => this.answer(reader, received, plan.outcomes[index])); ${COMMIT}`,
      },
    ],
    exercise: storeDiesWhileCommitting,
    broken: ['lost'],
  },
  {
    name: 'emit before commit',
    app: 'message-store',
    edits: [
      {
        file: LEADER,
        find: COMMIT,
        replace: `this.options.delivery.deliver(plan.messages.map(({ message }) => message), null); ${COMMIT}`,
      },
    ],
    exercise: storeDiesWhileCommitting,
    broken: ['altered'],
  },
  {
    name: 'duplicate not removed',
    app: 'message-store',
    edits: [
      {
        file: 'apps/message-store/src/partitions/dedupe-key.js',
        find: `hash.update(content, 'utf16le');`,
        replace: `hash.update(content, 'utf16le'); hash.update(String(Math.random()));`,
      },
    ],
    exercise: messagesAreRetried,
    broken: ['stored twice'],
  },
  {
    name: 'acknowledgement with the seq of another message',
    app: 'message-store',
    edits: [
      {
        file: PLAN,
        find: `return { kind: 'stored', ...outcome, duplicate: false };`,
        replace: `return { kind: 'stored', ...outcome, seq: outcome.seq + 1, duplicate: false };`,
      },
    ],
    exercise: messagesAreRetried,
    broken: ['wrong answer'],
  },
  {
    name: 'no gap repair',
    app: 'gateway',
    edits: [{ file: FEED, find: 'if (feed.pulling)', replace: 'if (true)' }],
    exercise: emitsAreLost,
    broken: ['missed'],
  },
  {
    name: 'gap repair that skips the last',
    app: 'gateway',
    edits: [
      {
        file: FEED,
        find: 'for (const entry of reply.entries)',
        replace: 'for (const entry of reply.entries.slice(0, -1))',
      },
    ],
    exercise: emitsAreLost,
    broken: ['missed'],
  },
  {
    name: 'no check of silence',
    app: 'gateway',
    edits: [
      {
        file: 'apps/gateway/src/feed/silence-check.js',
        find: 'if (after === null)',
        replace: 'if (true)',
      },
    ],
    exercise: emitsAreLost,
    broken: ['missed'],
  },
  {
    name: 'no waiting for what is missing',
    app: 'gateway',
    edits: [
      {
        file: FEED,
        find: RECEIVED_EARLY,
        replace: `
        if (feed.delivered !== null) {
            const { delivered, deliveredPosition } = feed;
            this.deliver(feed, new Delivery(event));
            Object.assign(feed, { delivered, deliveredPosition });
        }
        ${RECEIVED_EARLY}`,
      },
    ],
    exercise: emitsAreLost,
    // Whether something older follows is chance; what was shown early is certainly shown again in its turn.
    broken: ['shown twice'],
  },
  {
    name: 'second copy of a private message dropped for the other user',
    app: 'gateway',
    edits: [
      {
        file: 'apps/gateway/src/feed/room-events.js',
        find: 'this.feed.receive(event);',
        replace: '(this.feed.arrivedIn = room, this.feed.receive(event));',
      },
      {
        file: FEED,
        find: 'const members = this.rooms.membersOf(room);',
        replace: `if (feed.groupId === null && room !== this.arrivedIn) continue;
            const members = this.rooms.membersOf(room);`,
      },
    ],
    exercise: pairTalks,
    broken: ['missed'],
  },
  {
    name: 'second copy of a private message shown again',
    app: 'gateway',
    edits: [
      {
        file: FEED,
        find: RECEIVED_BEFORE,
        replace: `if (feed.delivered === event.seq) this.deliver(feed, new Delivery(event)); ${RECEIVED_BEFORE}`,
      },
    ],
    exercise: pairTalks,
    broken: ['shown twice'],
  },
  {
    name: 'room kept after removal',
    app: 'gateway',
    edits: [
      { file: MEMBERSHIP, find: 'this.rooms.leave(connection.id, groupRoom(groupId));', replace: '' },
      { file: MEMBERSHIP, find: 'this.feed.leaveGroup(connection, groupId);', replace: '' },
    ],
    exercise: memberLeaves,
    broken: ['stranger'],
  },
  {
    name: 'membership event lost',
    app: 'groups',
    edits: [
      {
        file: 'apps/groups/src/outbox/outbox-publisher.js',
        find: 'await this.publisher.publish(event);',
        replace: `if (event.change !== 'removed') await this.publisher.publish(event);`,
      },
    ],
    exercise: memberLeaves,
    broken: ['stranger'],
  },
  {
    name: 'messages of a membership version that the gateway has not applied are delivered',
    app: 'gateway',
    edits: [
      { file: FEED, find: 'this.versions.hasReached(groupId, message.membershipVersion)', replace: 'true' },
      {
        file: FEED,
        find: 'this.versions.hasReached(lane.groupId, message.membershipVersion)',
        replace: 'true',
      },
    ],
    exercise: leavingIsHeardOfLate,
    broken: ['stranger'],
  },
  {
    name: 'sync leaves out the oldest message that is missing',
    app: 'message-store',
    edits: [
      {
        file: 'apps/message-store/src/reading/sync.service.js',
        find: 'from: seq + 1,',
        replace: 'from: seq + 2,',
      },
    ],
    exercise: membersComeBack,
    broken: ['missed'],
  },
  {
    name: 'replay skips a message',
    app: 'gateway',
    edits: [
      {
        file: 'apps/gateway/src/replay/replay.js',
        find: '(kept.get(conversation) ?? [])',
        // Not the first, which a connection that was cut may have shown.
        replace: '(kept.get(conversation) ?? []).filter((_, index) => index !== 1)',
      },
    ],
    exercise: membersComeBack,
    broken: ['missed'],
  },
  // Comes last: it leaves the database without an index.
  {
    name: 'no fence',
    app: 'message-store',
    // Three guards keep a stale leader's batch out, each enough by itself: the partition's epoch and position, the
    // head that the batch was planned on, and the unique index on conversation and seq.
    edits: [
      {
        file: REPOSITORY,
        find: '.updateOne({ _id: partition, epoch, position: from },',
        replace: '.updateOne({ _id: partition },',
      },
      {
        file: REPOSITORY,
        find: 'filter: { _id: conversation, head: known },',
        replace: 'filter: { _id: conversation },',
      },
      {
        file: REPOSITORY,
        find: 'return new MongoMessageRepository(database);',
        replace: `
        await database.collection(MESSAGES).dropIndex('conversation_1_seq_1').catch(() => undefined);
        return new MongoMessageRepository(database);`,
      },
    ],
    exercise: storeStandsStill,
    broken: ['seq'],
  },
];
