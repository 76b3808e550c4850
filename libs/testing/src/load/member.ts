import { setTimeout as delay } from 'node:timers/promises';
import type { Entitlement, View } from '../checker/checker.js';
import { type SendRecord, ViewRecorder } from '../checker/recorder.js';
import type { ChatClient } from '../clients/chat-client.js';
import { type Packet, show } from '../clients/packet.js';
import { withPatience } from '../process/until.js';
import { accepted } from '../starling/expectations.js';
import type { Form, Starling } from '../starling/starling.js';
import { catchUp } from './catching-up.js';
import { type Connection, seenOn, viewsOf } from './connection.js';

/** Between two tries, doubled with each up to the longest. */
const AGAIN_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** Then the other gateway is tried. */
const CONNECT_PATIENCE_MS = 3_000;
/** Longer than the server's own deadline. */
const ANSWER_PATIENCE_MS = 20_000;
/** Retrying for longer than this means that something does not come back. */
const SETTLE_PATIENCE_MS = 90_000;

/** A user with one connection at a time, who comes back whenever it is cut, and sends again what was not acknowledged. */
export class Member {
  readonly connections: Connection[] = [];
  /** Longest time from a message's first try to its acknowledgement. */
  slowestMs = 0;
  retries = 0;
  readonly refusals = new Map<string, number>();
  /** Contents of own messages that were sent more than once: they may be answered more than once, too. */
  readonly sentAgain = new Set<string>();
  private online: Promise<Connection>;
  private leaving = false;

  constructor(
    private readonly starling: Starling,
    readonly userId: string,
    private readonly form: Form,
    /** The one that is tried first. */
    private readonly gateway: number,
  ) {
    this.online = this.connect();
    this.online.catch(() => undefined);
  }

  /**
   * By which it catches up after a cut. Who does not leaves that to the gateway's replay, and is not to be made to ask
   * for history either: that would end it.
   */
  get syncs(): boolean {
    return this.form !== 'bytes';
  }

  async client(): Promise<ChatClient> {
    return (await this.online).client;
  }

  leave(): void {
    this.leaving = true;
  }

  /** Sends until it is acknowledged; `twice`: twice at once, as a client does that is impatient. */
  async settle(record: SendRecord, { twice = false } = {}): Promise<void> {
    const begin = performance.now();
    if (twice) this.sentAgain.add(record.sent.content);
    for (let pauseMs = AGAIN_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const client = await this.client();
      if (twice) client.transmit(record.packet);
      const answer = await client.request(record.packet, ANSWER_PATIENCE_MS).catch(() => null);
      if (answer && record.answered(answer)) break;
      if (performance.now() - begin > SETTLE_PATIENCE_MS) {
        throw client.error(
          `has no acknowledgement after ${SETTLE_PATIENCE_MS} ms; last answer: ${show(answer)}`,
        );
      }
      this.retries++;
      this.sentAgain.add(record.sent.content);
      const why = answer ? String(answer['errorCode']) : 'cut';
      this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
      await delay(pauseMs);
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - begin);
  }

  /** Asks until it is granted: joins and quits are the same however often they are asked for. */
  async ask(what: (client: ChatClient) => Promise<Packet>): Promise<void> {
    const end = performance.now() + SETTLE_PATIENCE_MS;
    for (let pauseMs = AGAIN_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const client = await this.client();
      const answer = await what(client).catch(() => null);
      if (answer?.['success'] === true) return;
      if (performance.now() > end) throw client.error(`was never granted it; last answer: ${show(answer)}`);
      await delay(pauseMs);
    }
  }

  views(rights: ReadonlyMap<string, Entitlement>): View[] {
    return viewsOf(this.connections, rights, this.sentAgain);
  }

  private async connect(): Promise<Connection> {
    const end = performance.now() + SETTLE_PATIENCE_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        const connection = await this.bind(await this.reach(this.gateway + attempt));
        this.connections.push(connection);
        void connection.client.waitForClose(2 ** 31 - 1).then(() => {
          if (this.leaving) return;
          this.online = this.connect();
          this.online.catch(() => undefined);
        });
        return connection;
      } catch (error) {
        if (this.leaving || performance.now() > end) throw error;
        await delay(AGAIN_MS);
      }
    }
  }

  private async bind(client: ChatClient): Promise<Connection> {
    const recorder = new ViewRecorder(client);
    try {
      accepted(await client.login());
      const isBack = this.connections.length > 0;
      const caughtUp = isBack && this.syncs ? await catchUp(client, seenOn(this.connections)) : null;
      return { client, recorder, caughtUp };
    } catch (error) {
      client.abort();
      throw error;
    }
  }

  private async reach(gateway: number): Promise<ChatClient> {
    const connecting = this.starling.connect(this.userId, { form: this.form, gateway });
    try {
      return await withPatience(connecting, 'a connection', CONNECT_PATIENCE_MS);
    } catch (error) {
      // A gateway that stood still takes it later.
      connecting.then(
        (client) => client.abort(),
        () => undefined,
      );
      throw error;
    }
  }
}
