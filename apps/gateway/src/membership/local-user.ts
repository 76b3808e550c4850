import type { GroupRole } from '@starling/bus';
import type { Connection } from '../connection/connection.js';
import { Coalesced } from '../feed/coalesced.js';

/** A user's place in a group, as far as this pod knows. */
export interface Place {
  readonly version: number;
  /** Null: known to be no member as of `version`. */
  readonly role: GroupRole | null;
  /** The version with which a member became one; 0 where the groups service does not know it any more. */
  readonly memberSince: number;
  /** Joins of this user's connections to the room that have not ended; the same object while they stay a member. */
  readonly joins: Set<Promise<void>>;
}

/** Departures that are remembered, so that an older arrival is not believed. */
const DEPARTURES_MAX = 256;

/** A user with connections to this pod. */
export class LocalUser {
  /** False until the connection joins its first rooms; from then on it follows each change by itself. */
  readonly connections = new Map<Connection, boolean>();
  readonly places = new Map<string, Place>();
  /** Joins of the user's own that were answered with a version before the stream brought it. */
  readonly ownJoins = new Map<string, number>();
  /** Connections that wait for the answer to their own join, by group: what is said before that is not due to them. */
  readonly joining = new Map<string, Set<Connection>>();
  /** The user's groups have been loaded once. */
  loaded = false;
  /** Loads the user's groups from a request that begins after the call. */
  readonly load: Coalesced<void>;
  private firstLoad: Promise<void> | null = null;
  /** A reload that has not begun. */
  nextReload: Promise<unknown> | null = null;

  constructor(
    readonly userId: string,
    load: (user: LocalUser) => Promise<void>,
  ) {
    this.load = new Coalesced(() => load(this));
  }

  /** Loaded once for all connections that are bound meanwhile. */
  async beLoaded(): Promise<void> {
    if (this.loaded) return;
    this.firstLoad ??= this.load.ask().finally(() => (this.firstLoad = null));
    await this.firstLoad;
  }

  get groupIds(): string[] {
    return [...this.places].filter(([, { role }]) => role !== null).map(([groupId]) => groupId);
  }

  *placedConnections(): Iterable<Connection> {
    for (const [connection, isPlaced] of this.connections) if (isPlaced) yield connection;
  }

  put(groupId: string, place: Place): void {
    this.places.delete(groupId);
    this.places.set(groupId, place);
    if (place.role !== null) return;
    const departed = [...this.places].filter(([, { role }]) => role === null);
    if (departed.length > DEPARTURES_MAX) this.places.delete(departed[0]![0]);
  }
}
