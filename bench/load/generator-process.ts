import { fork, type ChildProcess } from 'node:child_process';
import type { CrowdSpec } from './crowd.js';
import type { Offered, Order } from './offer.js';

export type Command =
  | { readonly kind: 'crowd'; readonly spec: CrowdSpec }
  | { readonly kind: 'connect' | 'log in' | 'join' | 'disconnect' }
  | { readonly kind: 'offer'; readonly order: Order };

export interface Answer {
  readonly id: number;
  readonly result: unknown;
  readonly error: string | null;
}

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A crowd in a process of its own, so that nothing else runs where latencies are taken. */
export class Generator {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiter>();
  private lastId = 0;
  private ended: Error | null = null;

  private constructor() {
    this.child = fork('bench/load/generator.ts', [], {
      execArgv: ['--import', './deploy/typescript.mjs'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child.on('message', ({ id, result, error }: Answer) => {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === null) waiter?.resolve(result);
      else waiter?.reject(new Error(error));
    });
    this.child.once('exit', (code, signal) => {
      this.ended = new Error(`the load generator has ended (${signal ?? `code ${code}`})`);
      for (const { reject } of this.waiting.values()) reject(this.ended);
      this.waiting.clear();
    });
  }

  static async start(spec: CrowdSpec): Promise<Generator> {
    const generator = new Generator();
    await generator.do({ kind: 'crowd', spec });
    return generator;
  }

  async connect(): Promise<void> {
    await this.do({ kind: 'connect' });
  }

  async logIn(): Promise<void> {
    await this.do({ kind: 'log in' });
  }

  async join(): Promise<void> {
    await this.do({ kind: 'join' });
  }

  async disconnect(): Promise<void> {
    await this.do({ kind: 'disconnect' });
  }

  async offer(order: Order): Promise<Offered> {
    return (await this.do({ kind: 'offer', order })) as Offered;
  }

  async stop(): Promise<void> {
    if (this.ended !== null) return;
    const exit = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.disconnect();
    await exit;
  }

  private do(command: Command): Promise<unknown> {
    if (this.ended !== null) return Promise.reject(this.ended);
    const id = (this.lastId += 1);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, command });
    });
  }
}
