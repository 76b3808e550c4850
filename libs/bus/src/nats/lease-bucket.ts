import { JetStreamApiCodes, type JetStreamManager } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { createInbox, nanos } from '@nats-io/transport-node';
import { ensureStream, isApiError } from './ensure-stream.js';
import { LEASES_BUCKET, LEASES_CHANGED_SUBJECT, LEASES_STREAM } from './names.js';
import type { BusConnection } from './nats-connection.js';

const READ_MS = 1000;
/** What a key holds that was given back. */
const NOBODY = '-';

export interface LeaseEntry {
  /** Who holds it; null when it was given back. */
  readonly holder: string | null;
  readonly revision: number;
}

/** A KV bucket whose keys end by themselves unless they are renewed: one for each worker, one for each partition held. */
export class LeaseBucket {
  private constructor(
    private readonly connection: BusConnection,
    private readonly kv: KV,
  ) {}

  static async open(connection: BusConnection, keyMs: number, replicas: number): Promise<LeaseBucket> {
    const kvm = new Kvm(connection.jetstream);
    await kvm.create(LEASES_BUCKET, { ttl: keyMs, replicas, history: 1 });
    await keepTo(keyMs, connection.manager, replicas);
    return new LeaseBucket(connection, await kvm.open(LEASES_BUCKET, { allow_direct: true }));
  }

  /** Every key that begins with `prefix` and a dot, by the rest of its name. */
  async entries(prefix: string): Promise<Map<string, LeaseEntry>> {
    const { nats } = this.connection;
    const begin = `$KV.${LEASES_BUCKET}.${prefix}.`;
    const entries = new Map<string, LeaseEntry>();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The client library's own call for this leaves a subscription behind each time.
    const subscription = nats.subscribe(createInbox(), {
      callback: (error, message) => {
        const { headers } = message;
        const subject = headers?.get('Nats-Subject') ?? '';
        if (error !== null) reject(error);
        else if (subject.startsWith(begin)) {
          const holder = message.string();
          const revision = Number(headers?.get('Nats-Sequence'));
          entries.set(subject.slice(begin.length), { holder: holder === NOBODY ? null : holder, revision });
        } else if (headers?.code === 204 || headers?.code === 404) resolve();
        else reject(new Error(headers?.description ?? 'an unexpected answer'));
      },
    });
    const late = setTimeout(() => reject(new Error('the leases could not be read in time')), READ_MS);
    try {
      const request = JSON.stringify({ multi_last: [`${begin}>`] });
      nats.publish(`$JS.API.DIRECT.GET.${LEASES_STREAM}`, request, { reply: subscription.getSubject() });
      await promise;
      return entries;
    } finally {
      clearTimeout(late);
      if (!this.connection.isClosed) subscription.unsubscribe();
    }
  }

  /** Writes the key if its revision still is the one given (0: there is none). Null when it is not. */
  async take(key: string, holder: string, revision: number): Promise<number | null> {
    try {
      return await this.kv.put(key, holder, { previousSeq: revision });
    } catch (error) {
      if (isApiError(error, JetStreamApiCodes.StreamWrongLastSequence)) return null;
      if (isApiError(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown)) return null;
      throw error;
    }
  }

  async put(key: string, holder: string): Promise<void> {
    await this.kv.put(key, holder);
  }

  /** Unless somebody else holds it by now. */
  async giveBack(key: string, holder: string): Promise<void> {
    for (;;) {
      const entry = await this.kv.get(key);
      if (entry?.string() !== holder) return;
      // A renewal under way may come in between.
      if ((await this.take(key, NOBODY, entry.revision)) !== null) return;
    }
  }

  tellChange(): void {
    if (this.connection.isConnected) this.connection.nats.publish(LEASES_CHANGED_SUBJECT);
  }

  /** Returns what ends it. */
  onChange(changed: () => void): () => void {
    const subscription = this.connection.nats.subscribe(LEASES_CHANGED_SUBJECT, {
      callback: () => changed(),
    });
    return () => {
      if (!this.connection.isClosed) subscription.unsubscribe();
    };
  }
}

/** A bucket that exists keeps its old time otherwise. */
async function keepTo(keyMs: number, manager: JetStreamManager, replicas: number): Promise<void> {
  await ensureStream(manager, {
    name: LEASES_STREAM,
    subjects: [`$KV.${LEASES_BUCKET}.>`],
    max_age: nanos(keyMs),
    duplicate_window: nanos(keyMs),
    num_replicas: replicas,
  });
}
