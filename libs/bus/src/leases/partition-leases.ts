/** The right to lead a partition: at most one process holds it at a time. */
export interface Lease {
  readonly partition: number;
  /**
   * Aborted when the work has to end: the lease is lost or is to be given back. Whoever works on after that must be
   * kept from harm by the store's epochs, since a process that was stopped for a while learns it late.
   */
  readonly ending: AbortSignal;
  /** False from the moment on at which another process may hold it, even before `ending` is aborted. */
  readonly isHeld: boolean;
}

/** What is done while a lease is held, until `lease.ending`, which is not aborted yet. It is given back afterwards. */
export type PartitionWork = (lease: Lease) => Promise<void>;

/**
 * Which partitions this process leads. They are spread evenly over all processes that have started theirs: none has
 * two more than another, and nothing moves while nobody comes or goes.
 */
export interface PartitionLeases {
  /**
   * Calls `work` for each partition whose lease this process gets, now and later, never for a partition whose work
   * here has not ended. Resolves when it has been called for those that could be had at once. Called once.
   */
  start(work: PartitionWork): Promise<void>;
  /** Ends all work, waits for it, and gives the leases back, so that others have them at once. */
  stop(): Promise<void>;
}

export const PARTITION_LEASES = Symbol('PartitionLeases');
