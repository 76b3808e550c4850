import { ErrorCode } from '@starling/protocol';
import {
  accepted,
  catchUp,
  type Connection,
  type Entitlement,
  type Form,
  groupName,
  judge,
  type Message,
  messageOf,
  type Packet,
  privateName,
  seenOn,
  SendRecord,
  type StartedProcess,
  type Starling,
  until,
  ViewRecorder,
  viewsOf,
} from '@starling/testing';
import { SLOW_BEGIN } from '../alterations/conditions.js';

/** A short talk with a disturbance at an exact place. */
export interface Exercise {
  readonly name: string;
  run(talk: Talk): Promise<void>;
}

const ALL: Entitlement = { after: 0, upTo: null, complete: true };

let talks = 0;

/** A connection of a user, and those before it that were cut. */
export interface Seat extends Connection {
  readonly form: Form;
  readonly earlier: readonly Connection[];
}

/** Resolves when the connection was pushed the change of the user's own place. */
export function told({ client }: Seat, group: string, change: string): Promise<unknown> {
  return client.waitFor(
    `the push that the user was ${change}`,
    (packet) => packet.command === -12 && packet['chatId'] === group && packet['change'] === change,
  );
}

/** A few users at chosen gateways, and what they did and saw, for the checker. Every name in it is its own. */
export class Talk {
  private readonly id = `talk-${process.pid}-${(talks += 1)}`;
  private readonly seats: Seat[] = [];
  private readonly records: SendRecord[] = [];
  private readonly rights = new Map<string, Map<string, Entitlement>>();
  private readonly histories = new Map<string, () => Promise<Packet[]>>();

  constructor(
    private readonly starling: Starling,
    /** How long may be waited for what is certain in the product as it is. */
    private readonly patienceMs: number,
  ) {}

  name(text: string): string {
    return `${text} of ${this.id}`;
  }

  async sit(name: string, gateway: number, form: Form = 'object'): Promise<Seat> {
    const connection = await this.connect(this.name(name), gateway, form);
    const seat = { ...connection, caughtUp: null, form, earlier: [] };
    this.seats.push(seat);
    return seat;
  }

  /** Ends the connection as a network does. */
  async cut({ client }: Seat): Promise<void> {
    client.abort();
    await client.waitForClose();
  }

  /** The next connection of whose was cut, in the same form. */
  async comeBack(cut: Seat, gateway: number): Promise<Seat> {
    const { form } = cut;
    const earlier = [...cut.earlier, cut];
    const connection = await this.connect(cut.client.userId, gateway, form);
    const caughtUp = form === 'bytes' ? null : await catchUp(connection.client, seenOn(earlier));
    const seat = { ...connection, caughtUp, form, earlier };
    this.seats[this.seats.indexOf(cut)] = seat;
    return seat;
  }

  /** Who joins has a right to everything that is sent then, `after` that seq; who joins first stays to the end. */
  async join({ client }: Seat, group: string, after = 0): Promise<void> {
    accepted(await client.join(group));
    this.entitle(client.userId, groupName(group), { ...ALL, after });
    const name = groupName(group);
    if (!this.histories.has(name)) this.histories.set(name, () => client.wholeHistory(1, group));
  }

  /** To who quits belongs what was sent before: up to the seq. */
  async quit({ client }: Seat, group: string, upTo: number): Promise<void> {
    accepted(await client.quit(group));
    this.entitle(client.userId, groupName(group), { after: 0, upTo, complete: false });
  }

  toGroup({ client }: Seat, group: string, content: string): Packet {
    return client.message(group, 1, content);
  }

  toUser({ client }: Seat, other: Seat, content: string): Packet {
    const name = privateName(client.userId, other.client.userId);
    for (const { userId } of [client, other.client]) this.entitle(userId, name, ALL);
    this.histories.set(name, () => client.wholeHistory(0, other.client.userId));
    return client.message(other.client.userId, 0, content);
  }

  /** Sends it once; again only while it certainly was not accepted, as when the stores have just been started. */
  try({ client }: Seat, packet: Packet): { record: SendRecord; answered: Promise<void> } {
    const record = new SendRecord(packet);
    this.records.push(record);
    const isDecided = async () => {
      const answer = await client.request(packet);
      record.answered(answer);
      return answer['errorCode'] !== ErrorCode.NOT_ACCEPTED.code;
    };
    const answered = until(`an answer to ${packet['content']}`, isDecided, 30_000).then(() => undefined);
    answered.catch(() => undefined);
    return { record, answered };
  }

  /** Sends it until it is acknowledged. */
  async say({ client }: Seat, packet: Packet): Promise<SendRecord> {
    const record = new SendRecord(packet);
    this.records.push(record);
    await until(
      `an acknowledgement of ${packet['content']}`,
      async () => record.answered(await client.request(packet)),
      30_000,
    );
    return record;
  }

  hasSeen({ recorder }: Seat, content: string): boolean {
    return recorder.shown.some((shown) => shown.content === content);
  }

  /** Waits for what does not happen with some of the bugs. */
  async patiently(expected: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.patienceMs);
    });
    await Promise.race([expected, patience]);
    clearTimeout(timer);
  }

  /** The store that has the message in its hands. */
  async committingSlowly(content: string): Promise<StartedProcess> {
    const stores = this.starling.cluster.of('message-store');
    const isSlow = ({ logs }: StartedProcess) =>
      logs.some(({ msg, messages }) => msg === SLOW_BEGIN && String(messages).includes(content));
    const service = await until(
      `a store to commit ${content}`,
      () => stores.find(({ process }) => isSlow(process)),
      45_000,
    );
    return service.process;
  }

  /** Of the checker, once everybody was shown everything, or nobody has the patience to wait for that. */
  async verdicts(): Promise<string[]> {
    const stored = new Map<string, Message[]>();
    for (const [name, history] of this.histories) stored.set(name, (await history()).map(messageOf));
    const sent = this.records.map((record) => record.sent);
    const verdicts = () => judge({ sent, stored, views: this.views() });
    const complete = () => !verdicts().some((text) => text.startsWith('missed'));
    await until('everybody to have seen everything', complete, this.patienceMs).catch(() => undefined);
    return verdicts();
  }

  private views() {
    return this.seats.flatMap((seat) => viewsOf([...seat.earlier, seat], this.rightsOf(seat)));
  }

  private rightsOf({ client }: Seat): Map<string, Entitlement> {
    return this.rights.get(client.userId) ?? new Map<string, Entitlement>();
  }

  /** Byte clients as webim.js, which gateways replay to: it takes no pushes. */
  private async connect(userId: string, gateway: number, form: Form) {
    const client = await this.starling.connect(userId, { gateway, form });
    const recorder = new ViewRecorder(client);
    client.keepsPackets = true;
    accepted(await client.login({ push: form !== 'bytes' }));
    return { client, recorder };
  }

  private entitle(userId: string, conversation: string, entitlement: Entitlement): void {
    const rights = this.rights.get(userId) ?? new Map<string, Entitlement>();
    this.rights.set(userId, rights.set(conversation, entitlement));
  }
}
