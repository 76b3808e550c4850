import type { Lane } from './packet-receiver.js';

interface Job {
  readonly lane: Lane;
  readonly run: () => Promise<void> | void;
}

/** Keeps the order of one connection's packets, and bounds how many of them wait for their answer. */
export class Inbox {
  private waiting: Job[] = [];
  private stateIsChanging = false;
  private lastRead: Promise<void> | null = null;
  private open = 0;
  private ending: (() => void) | null = null;
  private onIdle: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Packets without an answer yet. */
  get unanswered(): number {
    return this.open;
  }

  /** `run` never rejects. False: too many are unanswered; it was not taken. */
  take(lane: Lane, run: () => Promise<void> | void): boolean {
    if (this.ending !== null) return true;
    if (this.open >= this.limit) return false;
    this.open += 1;
    if (this.stateIsChanging) this.waiting.push({ lane, run });
    else this.begin({ lane, run });
    return true;
  }

  /** Drops what waits and takes nothing more; `last` runs when no change of state is under way. */
  end(last: () => void): void {
    if (this.ending !== null) return;
    this.ending = last;
    this.open -= this.waiting.length;
    this.waiting = [];
    if (!this.stateIsChanging) last();
    this.tellWhenIdle();
  }

  /** Resolves when everything taken has been answered. */
  idle(): Promise<void> {
    if (this.open === 0) return Promise.resolve();
    return new Promise((resolve) => this.onIdle.push(resolve));
  }

  private begin({ lane, run }: Job): void {
    if (lane === 'read') {
      const read = (this.lastRead ?? Promise.resolve()).then(run).then(() => {
        if (this.lastRead === read) this.lastRead = null;
        this.answered();
      });
      this.lastRead = read;
      return;
    }
    const running = run();
    if (running === undefined) {
      this.answered();
      return;
    }
    if (lane === 'submit') {
      void running.then(() => this.answered());
      return;
    }
    this.stateIsChanging = true;
    void running.then(() => this.stateChanged());
  }

  private stateChanged(): void {
    this.stateIsChanging = false;
    this.answered();
    if (this.ending !== null) {
      this.ending();
      return;
    }
    let begun = 0;
    while (begun < this.waiting.length && !this.mustWait()) this.begin(this.waiting[begun++]!);
    if (begun > 0) this.waiting.splice(0, begun);
  }

  /** Whether the packet begun last changes state, or ended the connection. */
  private mustWait(): boolean {
    return this.stateIsChanging || this.ending !== null;
  }

  private answered(): void {
    this.open -= 1;
    this.tellWhenIdle();
  }

  private tellWhenIdle(): void {
    if (this.open > 0 || this.onIdle.length === 0) return;
    for (const resolve of this.onIdle.splice(0)) resolve();
  }
}
