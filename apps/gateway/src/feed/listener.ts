import type { Positions } from '@starling/bus';
import type { ConversationKey } from '@starling/protocol';
import type { Connection } from '../connection/connection.js';
import type { FeedMessage } from './delivery.js';
import { isEntitled, Lane, type Entitlement } from './lane.js';
import { OwnCopies } from './own-copies.js';

/** Is told what one connection was given; see gateway/replay. */
export interface DeliveryObserver {
  delivered(message: FeedMessage): void;
  /** Everything due at or below the positions has been written. */
  settled(positions: Positions): void;
  /** The user became a member of the group while bound: what it held until `position` is not due. */
  joined(conversation: ConversationKey, position: number): void;
}

/** Since which version of each group its user is a member; live, by group id. */
export interface Memberships {
  get(groupId: string): { readonly memberSince: number } | undefined;
}

/** A bound connection as the feed sees it. */
export class Listener {
  /** The connection gets what is above it; null while it is being read. Raised as messages are settled. */
  base: Positions | null = null;
  /** Groups joined while bound. */
  readonly joined = new Map<ConversationKey, { position: number; version: number }>();
  readonly lanes = new Map<ConversationKey, Lane>();
  readonly own = new OwnCopies();
  observer: DeliveryObserver | null = null;

  /** @param bound Positions read before the connection's rooms were joined, so at most its base. */
  constructor(
    readonly connection: Connection,
    readonly userId: string,
    public bound: Positions | null,
    private readonly memberships: Memberships,
  ) {}

  /** At or below it nothing of the conversation is due to this listener; null when nothing is known yet. */
  floorIn(conversation: ConversationKey, partition: number): number | null {
    const base = this.base ?? this.bound;
    const floor = base === null ? null : base[partition]!;
    if (this.joined.size === 0 && this.lanes.size === 0) return floor;
    const lane = this.lanes.get(conversation);
    if (lane?.gate === 'joining') {
      if (lane.bound === null) return floor;
      return Math.max(floor ?? 0, lane.bound[partition]!);
    }
    const joined = this.joined.get(conversation);
    return joined === undefined ? floor : Math.max(floor ?? 0, joined.position);
  }

  /** Whether a message that the pod delivers now is for this listener; its base must be known. */
  wants(message: FeedMessage, groupId: string | null): boolean {
    if (message.position <= this.base![message.partition]!) return false;
    if (groupId === null) return true;
    if (message.membershipVersion < this.memberSince(groupId)) return false;
    const joined = this.joined.size === 0 ? undefined : this.joined.get(message.conversation);
    return joined === undefined || isEntitled({ base: this.base!, ...joined }, message);
  }

  /** With `base` as its base. */
  entitlementIn({ conversation, groupId }: Lane, base: Positions): Entitlement {
    const version = groupId === null ? 0 : this.memberSince(groupId);
    return { base, position: 0, version, ...this.joined.get(conversation) };
  }

  private memberSince(groupId: string): number {
    return this.memberships.get(groupId)?.memberSince ?? 0;
  }

  openLane(conversation: ConversationKey, limit: number): Lane {
    const lane = new Lane(conversation, limit);
    this.lanes.set(conversation, lane);
    return lane;
  }
}
