import { setTimeout as delay } from 'node:timers/promises';
import { numberOfAck, numberOfDelivery } from './client-frames.js';
import { RawClient, type ClientListener, type Target } from './raw-client.js';

/** Who is connected to a server, and who is in which group. */
export interface CrowdSpec {
  /** Begins every user's and group's id, so that crowds on one server are strangers. */
  readonly name: string;
  readonly connections: number;
  readonly groups: number;
  /** Of each connection. */
  readonly groupsEach: number;
  /** Each group has as many members at every one of them. */
  readonly targets: readonly Target[];
}

/** What a crowd receives is told to whoever offers the load. */
export interface Receiver {
  /** `number` of a message that came to an observing connection; null when it was only counted. */
  delivered(number: number | null): void;
  acknowledged(number: number, success: boolean): void;
  received(): void;
}

const NOBODY: Receiver = { delivered() {}, acknowledged() {}, received() {} };

/** Whatever is asked of all connections is asked of so many at a time. */
const AT_A_TIME = 32;
/** A server that is too busy may refuse; clients try again. */
const TRIES = 20;
const TRY_AGAIN_MS = 500;
/** Of each group. */
export const SENDERS = 10;
/** One connection in so many looks at which message a delivery is; the others count. */
const OBSERVERS = 10;
const SUCCESS = Buffer.from('"success":true');

/** Every connection of one kind of work, with the users and groups it stands for. */
export class Crowd {
  receiver: Receiver = NOBODY;
  private clients: RawClient[] = [];
  private readonly listener: ClientListener;
  private lost: string | null = null;

  constructor(readonly spec: CrowdSpec) {
    this.listener = {
      delivery: ({ index }, bytes, at) => {
        if (!this.observes(index)) return this.receiver.delivered(null);
        const number = numberOfDelivery(bytes, at);
        // An event of another kind is nobody's delivery.
        if (number !== null) this.receiver.delivered(number);
      },
      acknowledgement: (payload) =>
        this.receiver.acknowledged(numberOfAck(payload), payload.includes(SUCCESS)),
      received: () => this.receiver.received(),
      closed: (client, why) => (this.lost ??= `${this.userOf(client.index)}: ${why}`),
    };
  }

  /** Members of each group. */
  get groupSize(): number {
    return (this.spec.connections * this.spec.groupsEach) / this.spec.groups;
  }

  /** The connection that sends the group's nth message: a few members of each take turns. */
  senderOf(group: number, nth: number): number {
    const { connections, groups } = this.spec;
    return group + groups * (nth % Math.min(SENDERS, connections / groups));
  }

  /** Why a connection was lost, if one was. */
  get failure(): string | null {
    return this.lost;
  }

  async connect(): Promise<void> {
    const { connections, groups, targets } = this.spec;
    this.clients = await inTurns(connections, async (index) => {
      const target = targets[Math.floor(index / groups) % targets.length]!;
      return RawClient.connect(target, index, this.listener);
    });
  }

  async logIn(): Promise<void> {
    await inTurns(this.clients.length, (index) =>
      this.ask(index, { version: 1, command: 1, userId: this.userOf(index) }),
    );
  }

  async join(): Promise<void> {
    const { groups, groupsEach } = this.spec;
    await inTurns(this.clients.length, async (index) => {
      for (let nth = 0; nth < groupsEach; nth++) {
        const chatId = this.groupOf((index + nth * Math.ceil(groups / groupsEach)) % groups);
        const userId = this.userOf(index);
        await this.ask(index, { version: 1, command: 7, chatId, userId, chatType: 1 });
      }
    });
  }

  disconnect(): void {
    for (const client of this.clients) client.destroy();
    this.clients = [];
  }

  write(index: number, frame: Buffer): void {
    this.clients[index]!.write(frame);
  }

  userOf(index: number): string {
    return `${this.spec.name}-user-${String(index).padStart(5, '0')}`;
  }

  groupOf(group: number): string {
    return `${this.spec.name}-group-${String(group).padStart(4, '0')}`;
  }

  private async ask(index: number, packet: object): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.clients[index]!.request(packet);
      } catch (error) {
        if (tried === TRIES) throw error;
        await delay(TRY_AGAIN_MS);
      }
    }
  }

  /** Some of each group, neither always the first that a server writes to nor always the last. */
  private observes(index: number): boolean {
    const { groups } = this.spec;
    const nth = Math.floor(index / groups);
    return nth % OBSERVERS === ((index % groups) + Math.floor(nth / OBSERVERS)) % OBSERVERS;
  }
}

async function inTurns<T>(count: number, act: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = new Array<T>(count);
  let next = 0;
  const take = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await act(index);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, take));
  return results;
}
