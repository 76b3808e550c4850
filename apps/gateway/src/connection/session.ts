/** What a login bound to its connection. */
export interface Session {
  readonly sessionId: string;
  readonly userId: string;
  readonly device: string | null;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The login said `push: true`: the client has listeners for pushes below -10. */
  readonly pushes: boolean;
  /** The client has asked for history or sync: it closes its own gaps, so nothing is replayed to it. */
  syncs: boolean;
}
