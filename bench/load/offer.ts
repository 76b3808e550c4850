import { cpuMsOf, cpuMsOfMachine } from './cpu-usage.js';
import { FIRST_NUMBER, MessageFrame } from './client-frames.js';
import type { Crowd, Receiver } from './crowd.js';
import { Latencies, type Spread } from './latencies.js';

/**
 * `rate`: open loop. Messages have their time, whatever became of those before, and their latency counts from it.
 * `window`: so many are always on their way, as fast as the server will have it.
 */
export type Load =
  | { readonly kind: 'rate'; readonly sendsPerSecond: number }
  | { readonly kind: 'window'; readonly messages: number };

export interface Order {
  readonly load: Load;
  /** Before it counts. */
  readonly leadMs: number;
  readonly countedMs: number;
  /** Whose CPU time is counted. */
  readonly pids: readonly number[];
  /** What has not come when nothing came for so long is missing. */
  readonly patienceMs: number;
}

/** What came of an order. Times are milliseconds. */
export interface Offered {
  /** How long it was counted. */
  readonly countedMs: number;
  /** In that time: sends answered as stored, and messages that reached a member, their senders' answers included. */
  readonly acknowledged: number;
  readonly deliveries: number;
  /** In that time, in the order of `Order.pids`. */
  readonly cpuMs: readonly number[];
  readonly generatorCpuMs: number;
  readonly machineCpuMs: number;
  /** From the time at which a message was to be sent, of those whose time was in the counted one. */
  readonly ackLatency: Spread;
  readonly deliveryLatency: Spread;
  /** How late the generator itself wrote them. It is part of the latencies. */
  readonly lateness: Spread;
  readonly refused: number;
  /** Deliveries that never came (or, negative, came too often). */
  readonly missing: number;
  /** Of `rate`: the server fell so far behind that no more was sent. */
  readonly overrun: boolean;
}

/** A power of two above everything that can be on its way. */
const REMEMBERED = 1 << 18;
/** Sends without an answer, in seconds of the rate, at which a server counts as overrun. */
const OVERRUN_SECONDS = 2;
const LOOK_AGAIN_MS = 20;

interface Mark {
  readonly at: number;
  readonly acknowledged: number;
  readonly copies: number;
  readonly cpuMs: readonly number[];
  readonly generatorCpuMs: number;
  readonly machineCpuMs: number;
}

/** Offers load to a server by a crowd's connections: groups take turns, and in each of them its senders. */
export class Offerer {
  private readonly frames = new Map<number, MessageFrame>();
  /** Never the same twice, or a message would be taken for a retry. */
  private nextNumber = FIRST_NUMBER;

  constructor(private readonly crowd: Crowd) {}

  async offer(order: Order): Promise<Offered> {
    const offering = new Offering(this.crowd, order, this.nextNumber, (number) => this.send(number));
    this.crowd.receiver = offering;
    try {
      return await offering.run();
    } finally {
      this.nextNumber = offering.nextNumber;
    }
  }

  private send(number: number): void {
    const { groups } = this.crowd.spec;
    const nth = number - FIRST_NUMBER;
    const group = nth % groups;
    const index = this.crowd.senderOf(group, Math.floor(nth / groups));
    let frame = this.frames.get(index);
    if (frame === undefined) {
      frame = new MessageFrame(this.crowd.userOf(index), this.crowd.groupOf(group));
      this.frames.set(index, frame);
    }
    this.crowd.write(index, frame.numbered(number));
  }
}

class Offering implements Receiver {
  nextNumber: number;
  private readonly firstNumber: number;
  private readonly others: number;
  /** By number, when each message was to be sent. */
  private readonly dueAt = new Float64Array(REMEMBERED);
  private acknowledgements = 0;
  private refusals = 0;
  private copies = 0;
  private beganAt = 0;
  private countFrom = Infinity;
  private countTo = Infinity;
  private sending = true;
  private overrun = false;
  private readonly ackLatency = new Latencies();
  private readonly deliveryLatency = new Latencies();
  private readonly lateness = new Latencies();

  constructor(
    private readonly crowd: Crowd,
    private readonly order: Order,
    firstNumber: number,
    private readonly send: (number: number) => void,
  ) {
    this.firstNumber = this.nextNumber = firstNumber;
    this.others = crowd.groupSize - 1;
  }

  delivered(number: number | null): void {
    this.copies += 1;
    if (number !== null) this.record(this.deliveryLatency, number);
  }

  acknowledged(number: number, success: boolean): void {
    if (!success) {
      this.refusals += 1;
      return;
    }
    this.acknowledgements += 1;
    this.record(this.ackLatency, number);
  }

  received(): void {
    if (this.order.load.kind === 'window') this.fill(this.order.load.messages);
  }

  async run(): Promise<Offered> {
    const { load, leadMs, countedMs } = this.order;
    this.beganAt = performance.now();
    if (load.kind === 'window') this.fill(load.messages);
    else this.keepRate(load.sendsPerSecond);
    await this.untilAt(this.beganAt + leadMs);
    const from = this.mark();
    this.countFrom = from.at;
    await this.untilAt(from.at + countedMs);
    const to = this.mark();
    this.countTo = to.at;
    this.sending = false;
    await this.drained();
    return {
      countedMs: to.at - from.at,
      acknowledged: to.acknowledged - from.acknowledged,
      deliveries: to.acknowledged - from.acknowledged + (to.copies - from.copies),
      cpuMs: to.cpuMs.map((ms, i) => ms - from.cpuMs[i]!),
      generatorCpuMs: to.generatorCpuMs - from.generatorCpuMs,
      machineCpuMs: to.machineCpuMs - from.machineCpuMs,
      ackLatency: this.ackLatency.spread,
      deliveryLatency: this.deliveryLatency.spread,
      lateness: this.lateness.spread,
      refused: this.refusals,
      missing: this.acknowledgements * this.others - this.copies,
      overrun: this.overrun,
    };
  }

  private keepRate(perSecond: number): void {
    const msEach = 1000 / perSecond;
    const tick = (): void => {
      for (;;) {
        if (!this.sending) return;
        const dueAt = this.beganAt + (this.nextNumber - this.firstNumber) * msEach;
        const wait = dueAt - performance.now();
        if (wait > 0) {
          setTimeout(tick, Math.floor(wait));
          return;
        }
        if (this.onTheirWay > perSecond * OVERRUN_SECONDS) {
          this.overrun = true;
          return;
        }
        this.sendOne(dueAt);
      }
    };
    tick();
  }

  private fill(messages: number): void {
    while (this.sending && this.onTheirWay < messages) this.sendOne(performance.now());
  }

  private sendOne(dueAt: number): void {
    const number = this.nextNumber++;
    this.dueAt[number % REMEMBERED] = dueAt;
    this.send(number);
    if (this.isCounted(dueAt)) this.lateness.record(performance.now() - dueAt);
  }

  /** Messages that were sent and have not been answered and come to every member. */
  private get onTheirWay(): number {
    const settled = this.acknowledgements + this.refusals;
    const complete = Math.floor(this.copies / this.others) + this.refusals;
    return this.nextNumber - this.firstNumber - Math.min(settled, complete);
  }

  private record(latencies: Latencies, number: number): void {
    // Of an earlier order, whose drain had no more patience.
    if (number < this.firstNumber) return;
    const dueAt = this.dueAt[number % REMEMBERED]!;
    if (this.isCounted(dueAt)) latencies.record(performance.now() - dueAt);
  }

  private isCounted(dueAt: number): boolean {
    return dueAt >= this.countFrom && dueAt < this.countTo;
  }

  private mark(): Mark {
    const { user, system } = process.cpuUsage();
    return {
      at: performance.now(),
      acknowledged: this.acknowledgements,
      copies: this.copies,
      cpuMs: this.order.pids.map(cpuMsOf),
      generatorCpuMs: (user + system) / 1000,
      machineCpuMs: cpuMsOfMachine(),
    };
  }

  private async drained(): Promise<void> {
    let before = -1;
    let since = performance.now();
    while (this.onTheirWay > 0 && this.crowd.failure === null) {
      const came = this.acknowledgements + this.refusals + this.copies;
      const now = performance.now();
      if (came !== before) since = now;
      else if (now - since > this.order.patienceMs) break;
      before = came;
      await this.untilAt(now + LOOK_AGAIN_MS);
    }
    if (this.crowd.failure !== null) throw new Error(`a connection was lost: ${this.crowd.failure}`);
  }

  private untilAt(at: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.max(0, at - performance.now())));
  }
}
