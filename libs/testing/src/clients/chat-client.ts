import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode } from '@starling/protocol';
import { PATIENCE_MS } from '../process/until.js';
import { type Packet, show } from './packet.js';

export interface Closed {
  /** WebSocket close code of the byte endpoint; null by Socket.IO, which has none. */
  readonly code: number | null;
  readonly reason: string;
}

interface Waiter {
  readonly what: string;
  readonly takes: (packet: Packet) => boolean;
  readonly resolve: (packet: Packet) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const SENT_AGAIN: ReadonlySet<unknown> = new Set([ErrorCode.UNAVAILABLE.code, ErrorCode.NOT_ACCEPTED.code]);
const PAUSE_MS = 100;

let lastMessageId = Date.now();

/** A message id as webim.js makes them, but never the same twice in a test's process. */
export function nextMessageId(): number {
  lastMessageId += 1;
  return lastMessageId;
}

/**
 * One connection of one user, whatever its form on the wire. Keeps every packet it was sent. What is wrong on
 * the wire itself (a frame that is no frame, a body that is no CESU-8) is kept in `violations`.
 */
export abstract class ChatClient {
  /** Everything received, in order of arrival, answers included. */
  readonly packets: Packet[] = [];
  /** Those of `packets` that answered a request of this connection. */
  readonly answers = new Set<Packet>();
  readonly violations: string[] = [];
  closed: Closed | null = null;
  /** Called for each packet as it arrives; `answer` says whether it answered a request of this connection. */
  onPacket: ((packet: Packet, answer: boolean) => void) | null = null;
  /** False in large runs, where `onPacket` takes what is needed. */
  keepsPackets = true;

  private readonly requests: Waiter[] = [];
  /** How many answers are due to the messages of each id; one more is a delivery. */
  private readonly owed = new Map<string, number>();
  private readonly waiters = new Set<Waiter>();
  private readonly closeListeners: (() => void)[] = [];

  protected constructor(
    readonly userId: string,
    /** The name of its wire form, for messages of tests. */
    readonly form: string,
  ) {}

  /** Stops and resumes reading from the socket. */
  abstract pause(): void;
  abstract resume(): void;
  /** Destroys the socket without any goodbye. */
  abstract abort(): void;
  protected abstract beginClose(): void;
  protected abstract write(packet: Packet): void;

  /** Writes a packet and waits for nothing. */
  transmit(packet: Packet): void {
    if (packet.command === 3) this.owed.set(idOf(packet), (this.owed.get(idOf(packet)) ?? 0) + 1);
    this.write(packet);
  }

  login(fields: Record<string, unknown> = {}): Promise<Packet> {
    return this.insist({ version: 1, command: 1, userId: this.userId, ...fields });
  }

  logout(): Promise<Packet> {
    return this.insist({ version: 1, command: 5, userId: this.userId });
  }

  join(chatId: string, chatType = 1): Promise<Packet> {
    return this.insist({ version: 1, command: 7, chatId, userId: this.userId, chatType });
  }

  quit(chatId: string, chatType = 1): Promise<Packet> {
    return this.insist({ version: 1, command: 9, chatId, userId: this.userId, chatType });
  }

  sendTo(toUserId: string, content: string, fields: Record<string, unknown> = {}): Promise<Packet> {
    return this.insist(this.message(toUserId, 0, content, fields));
  }

  sendToGroup(groupId: string, content: string, fields: Record<string, unknown> = {}): Promise<Packet> {
    return this.insist(this.message(groupId, 1, content, fields));
  }

  history(chatType: number, chatId: string, fields: Record<string, unknown> = {}): Promise<Packet> {
    return this.insist({ version: 1, command: 19, chatType, chatId, limit: 200, ...fields });
  }

  /** The whole conversation, page by page. */
  async wholeHistory(chatType: number, chatId: string): Promise<Packet[]> {
    const messages: Packet[] = [];
    for (;;) {
      const after: number = messages.at(-1)?.['seq'] ?? 0;
      const page = await this.history(chatType, chatId, { after });
      if (!page['success']) throw new Error(`history of ${chatId} was refused: ${show(page)}`);
      const found: Packet[] = page['messages'];
      messages.push(...found);
      if (!page['more'] || found.length === 0) return messages;
    }
  }

  sync(known: object[] = [], fields: Record<string, unknown> = {}): Promise<Packet> {
    return this.insist({ version: 1, command: 21, known, limit: 200, ...fields });
  }

  read(chatType: number, chatId: string, seq: number): Promise<Packet> {
    return this.insist({ version: 1, command: 23, chatType, chatId, seq });
  }

  /** Not answered when it succeeds; see the protocol's command -9. */
  signal(code: number, eventValue: unknown = null, eventObj: unknown = null): void {
    this.transmit({ version: 1, command: -9, code, eventValue, eventObj });
  }

  heartbeat(): Promise<Packet> {
    return this.request({ version: 1, command: 17 });
  }

  /** A message with every field that webim.js fills in. */
  message(toUserId: string, chatType: number, content: string, fields: Record<string, unknown> = {}): Packet {
    return {
      version: 1,
      command: 3,
      isItMe: true,
      contentType: 0,
      content,
      createTime: Date.now(),
      hasBeenSentId: nextMessageId(),
      fromUserId: this.userId,
      fromUserName: `name of ${this.userId}`,
      fromUserHeadImg: 'https://example.test/from.png',
      userId: this.userId,
      toUserId,
      toUserName: `name of ${toUserId}`,
      toUserHeadImg: 'https://example.test/to.png',
      chatType,
      ...fields,
    };
  }

  /** Writes a packet and resolves with its answer, refusals of every kind included. */
  request(packet: Packet, patienceMs = PATIENCE_MS): Promise<Packet> {
    const answer = new Promise<Packet>((resolve, reject) => {
      const waiter = this.waiter(
        `the answer to ${show(packet)}`,
        isAnswerTo(packet),
        resolve,
        reject,
        patienceMs,
        () => remove(this.requests, waiter),
      );
      this.requests.push(waiter);
    });
    // A test may look at the answer later than the connection ends.
    answer.catch(() => undefined);
    if (this.closed) this.failAll(`closed (${show(this.closed)})`);
    else this.transmit(packet);
    return answer;
  }

  /**
   * Sends again what the server asks to send again, as a client of users does: with the same id, and as if it had been
   * sent later. On a busy machine it may ask for that at any time; what it asks for is not looked at here.
   */
  private insist(packet: Packet): Promise<Packet> {
    const answer = this.lastAnswer(packet);
    // A test may look at the answer later than the connection ends.
    answer.catch(() => undefined);
    return answer;
  }

  private async lastAnswer(packet: Packet): Promise<Packet> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.request(packet);
      if (!SENT_AGAIN.has(answer['errorCode']) || performance.now() > end) return answer;
      remove(this.packets, answer);
      await sleep(PAUSE_MS);
    }
  }

  /** The first packet, past or to come, that `matches`. */
  waitFor(what: string, matches: (packet: Packet) => boolean, patienceMs = PATIENCE_MS): Promise<Packet> {
    const found = this.packets.find(matches);
    if (found) return Promise.resolve(found);
    const packet = new Promise<Packet>((resolve, reject) => {
      const waiter = this.waiter(what, matches, resolve, reject, patienceMs, () =>
        this.waiters.delete(waiter),
      );
      this.waiters.add(waiter);
      if (this.closed) waiter.reject(this.error(`was closed (${show(this.closed)}), so never got ${what}`));
    });
    packet.catch(() => undefined);
    return packet;
  }

  /** The message of that content, when it was delivered (not when it was answered to this connection). */
  waitForMessage(content: string): Promise<Packet> {
    return this.waitFor(
      `a message ${show(content)}`,
      (packet) => packet.command === 4 && packet['content'] === content && !this.answers.has(packet),
    );
  }

  waitForClose(patienceMs = PATIENCE_MS): Promise<Closed> {
    if (this.closed) return Promise.resolve(this.closed);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(this.error(`was not closed within ${patienceMs} ms`)),
        patienceMs,
      );
      this.closeListeners.push(() => {
        clearTimeout(timer);
        resolve(this.closed!);
      });
    });
  }

  /** What was delivered as a message, own copies from other connections included, answers excluded. */
  get delivered(): Packet[] {
    return this.packets.filter((packet) => packet.command === 4 && !this.answers.has(packet));
  }

  /** What webim.js would show as a message of somebody else. */
  get shown(): Packet[] {
    return this.packets.filter(
      (packet) => packet.command === 4 && packet['fromUserId'] !== this.userId && packet['content'] !== '',
    );
  }

  async close(): Promise<void> {
    if (this.closed) return;
    const closed = this.waitForClose();
    this.beginClose();
    await closed;
  }

  error(what: string): Error {
    const last = this.packets.slice(-5).map(show).join('\n  ');
    const broken = this.violations.length > 0 ? `\n  violations: ${this.violations.join('; ')}` : '';
    return new Error(`${this.userId} (${this.form}) ${what}; last packets:\n  ${last}${broken}`);
  }

  /** Takes a packet that came without being bound to a request, and gives it to whoever waits for it. */
  protected arrived(packet: Packet): void {
    if (this.keepsPackets) this.packets.push(packet);
    const request = this.requests.find((waiter) => waiter.takes(packet));
    const isAnswer = this.takeOwed(packet) || request !== undefined;
    if (isAnswer && this.keepsPackets) this.answers.add(packet);
    request?.resolve(packet);
    for (const waiter of [...this.waiters]) {
      if (waiter.takes(packet)) waiter.resolve(packet);
    }
    this.onPacket?.(packet, isAnswer);
  }

  protected violated(what: string): void {
    this.violations.push(what);
    this.failAll(`met a violation of the protocol: ${what}`);
  }

  protected wasClosed(closed: Closed): void {
    if (this.closed) return;
    this.closed = closed;
    for (const listener of this.closeListeners.splice(0)) listener();
    this.failAll(`was closed (${show(closed)})`);
  }

  private takeOwed(packet: Packet): boolean {
    if (packet.command !== 4 || (packet['isItMe'] !== true && packet['success'] !== false)) return false;
    if (this.owed.size === 0) return false;
    const id = idOf(packet);
    const left = this.owed.get(id) ?? 0;
    if (left > 1) this.owed.set(id, left - 1);
    else this.owed.delete(id);
    return left > 0;
  }

  private failAll(why: string): void {
    for (const waiter of [...this.requests, ...this.waiters]) {
      waiter.reject(this.error(`${why}, so never got ${waiter.what}`));
    }
  }

  private waiter(
    what: string,
    takes: (packet: Packet) => boolean,
    resolve: (packet: Packet) => void,
    reject: (error: Error) => void,
    patienceMs: number,
    settled: () => void,
  ): Waiter {
    const timer = setTimeout(() => {
      settled();
      reject(this.error(`waited ${patienceMs} ms in vain for ${what}`));
    }, patienceMs);
    const settle = <T>(act: (value: T) => void) => {
      return (value: T) => {
        clearTimeout(timer);
        settled();
        act(value);
      };
    };
    return { what, takes, resolve: settle(resolve), reject: settle(reject), timer };
  }
}

/**
 * Answers of command 3 carry the request's id; all others come in the order of their requests. What the server could
 * not read it refuses with command 0.
 */
function isAnswerTo(request: Packet): (packet: Packet) => boolean {
  const answer = request.command + Math.sign(request.command);
  if (request.command !== 3) {
    return ({ command, success }) => command === answer || (command === 0 && success === false);
  }
  const id = idOf(request);
  return (packet) =>
    (packet.command === 4 &&
      idOf(packet) === id &&
      (packet['isItMe'] === true || packet['success'] === false)) ||
    (packet.command === 0 && packet['success'] === false);
}

/** With its type: `1` and `"1"` are two; and whatever else a test may have sent as one. */
function idOf(packet: Packet): string {
  return JSON.stringify(packet['hasBeenSentId']) ?? '';
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
