import { SENDERS, type CrowdSpec } from '../load/crowd.js';
import { Generator } from '../load/generator-process.js';
import type { Offered, Order } from '../load/offer.js';
import type { Running, StartOptions, Variant } from '../variants/variant.js';
import type { Point, Shape } from './points.js';

/** Longer than Starling's gateways take to notice that a broadcast was lost. */
const PATIENCE_MS = 20_000;
const WARM_UP = { leadMs: 0, countedMs: 2_000, pids: [], patienceMs: PATIENCE_MS };

function senders({ groups, connections }: Shape): number {
  return groups * Math.min(SENDERS, connections / groups);
}

/** A variant that runs, with a crowd at it for each shape of work; both stay for the whole run. */
export class Station {
  private readonly crowds = new Map<Shape, Generator>();

  private constructor(
    readonly variant: Variant,
    readonly running: Running,
  ) {}

  static async start(variant: Variant, options: StartOptions): Promise<Station> {
    return new Station(variant, await variant.start(options));
  }

  /** Measures the point once. */
  async measure(point: Point, times: Pick<Order, 'leadMs' | 'countedMs'>): Promise<Offered> {
    const { processes } = this.running;
    const crowd = await this.crowdOf(point);
    return crowd.offer({
      load: point.load,
      ...times,
      pids: processes.map(({ pid }) => pid),
      patienceMs: PATIENCE_MS,
    });
  }

  /** Has everything there that the point needs. */
  async prepare(point: Point): Promise<void> {
    await this.crowdOf(point);
  }

  async stop(): Promise<void> {
    for (const crowd of this.crowds.values()) await crowd.stop();
    await this.running.stop();
  }

  private async crowdOf({ shape, load }: Point): Promise<Generator> {
    const known = this.crowds.get(shape);
    if (known !== undefined) return known;
    const { groups, connections } = shape;
    const name = `g${groups}`;
    const spec: CrowdSpec = { name, groups, connections, groupsEach: 1, targets: this.running.targets };
    const crowd = await Generator.start(spec);
    this.crowds.set(shape, crowd);
    await crowd.connect();
    await crowd.logIn();
    await crowd.join();
    // Who sends for the first time is asked about more.
    for (let sent = 0; sent < 2 * senders(shape);) {
      const { acknowledged } = await crowd.offer({ load: { kind: 'window', messages: 64 }, ...WARM_UP });
      sent += acknowledged;
    }
    if (load.kind === 'window') await crowd.offer({ load, ...WARM_UP });
    return crowd;
  }
}
