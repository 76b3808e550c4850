/** Subjects and streams of the bus in NATS, each spelled here alone. Ids of users and groups never stand in them. */

/** Where the submits of a partition are published: the one subject of its stream. */
export function submitSubject(partition: number): string {
  return `im.submit.${partition}`;
}

/** One stream for each partition, so that each is purged and checked by itself. */
export function submitStream(partition: number): string {
  return `SUBMITS_${partition}`;
}

/** Who reads a partition answers here, with the position up to which all submits have been answered. */
export function workerSubject(partition: number): string {
  return `im.worker.${partition}`;
}

export const MEMBERSHIP_SUBJECT = 'im.membership';
export const MEMBERSHIP_STREAM = 'MEMBERSHIP';

export const LEASES_BUCKET = 'LEASES';
/** What a KV bucket is beneath. */
export const LEASES_STREAM = `KV_${LEASES_BUCKET}`;
/** Told when a lease was given back or a worker came or went, so that nobody has to wait for its next look. */
export const LEASES_CHANGED_SUBJECT = 'im.leases.changed';

/** Of a submit: the subject that its outcome is published to. */
export const REPLY_HEADER = 'Starling-Reply';
export const MSG_ID_HEADER = 'Nats-Msg-Id';
