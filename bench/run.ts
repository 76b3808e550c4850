import type { Cell, Cells } from './report/cells.js';
import { figuresOf } from './report/figures.js';
import type { Variant } from './variants/variant.js';
import { measureConnections } from './work/connections.js';
import type { Point } from './work/points.js';
import { measureQuietly } from './work/quiet-moments.js';
import { Station } from './work/station.js';

export interface Settings {
  readonly rounds: number;
  readonly leadMs: number;
  readonly countedMs: number;
  readonly points: readonly Point[];
  /** Cores that others may use while messages are measured; null: whatever they use. */
  readonly quietCores: number | null;
  /** How many connect; 0: that is not measured. */
  readonly connections: number;
}

const NO_PROFILES = { profiles: null };
const CONNECTIONS = 'connections';

/** Measures what `cells` does not have yet. `written` is called whenever there is more to report. */
export async function runBench(
  settings: Settings,
  variants: readonly Variant[],
  cells: Cells,
  say: (line: string) => void,
  written: () => void,
): Promise<void> {
  const progress = new Progress(settings, variants, cells, say);
  await measureMessages(settings, variants, cells, progress, written);
  if (settings.connections > 0) await measureAllConnections(settings, variants, cells, progress, written);
}

async function measureMessages(
  { rounds, points, quietCores, leadMs, countedMs }: Settings,
  variants: readonly Variant[],
  cells: Cells,
  progress: Progress,
  written: () => void,
): Promise<void> {
  const stations = new Map<Variant, Station>();
  try {
    for (let round = 1; round <= rounds; round++) {
      // Back and forth, so that no variant always comes first.
      const inTurn = round % 2 === 1 ? variants : [...variants].reverse();
      for (const point of points) {
        for (const variant of inTurn) {
          const name = { variant: variant.letter, point: point.name, round };
          if (cells.has(name)) continue;
          const station = stations.get(variant) ?? (await progress.starting(variant));
          stations.set(variant, station);
          await station.prepare(point);
          const measure = () => station.measure(point, { leadMs, countedMs });
          const offered = quietCores === null ? await measure() : await measureQuietly(quietCores, measure);
          const { processes } = station.running;
          const roles = processes.map(({ role }) => role);
          const endsSockets = processes.map((each) => each.endsSockets);
          progress.measured({ ...name, kind: 'messages', roles, endsSockets, offered });
        }
        written();
      }
    }
  } finally {
    for (const station of stations.values()) await station.stop();
  }
}

async function measureAllConnections(
  { connections }: Settings,
  variants: readonly Variant[],
  cells: Cells,
  progress: Progress,
  written: () => void,
): Promise<void> {
  for (const variant of variants) {
    const name = { variant: variant.letter, point: CONNECTIONS, round: 1 };
    if (cells.has(name)) continue;
    // Processes of its own: what a connection takes shows only where none was before.
    const running = await variant.start(NO_PROFILES);
    try {
      const stages = await measureConnections(running, connections);
      progress.measured({ ...name, kind: 'connections', connections, stages });
    } finally {
      await running.stop();
    }
    written();
  }
}

/** Says what has been measured and how much is left. */
class Progress {
  private readonly total: number;

  constructor(
    { rounds, points, connections }: Settings,
    private readonly variants: readonly Variant[],
    private readonly cells: Cells,
    private readonly say: (line: string) => void,
  ) {
    this.total = variants.length * (rounds * points.length + (connections > 0 ? 1 : 0));
  }

  async starting(variant: Variant): Promise<Station> {
    this.say(`starting (${variant.letter}) ${variant.name} …`);
    return Station.start(variant, NO_PROFILES);
  }

  measured(cell: Cell): void {
    this.cells.add(cell);
    const variant = this.variants.find(({ letter }) => letter === cell.variant);
    this.say(
      `[${this.cells.all.length}/${this.total}] ${cell.point} | (${cell.variant}) ${variant?.name} | ${result(cell)}`,
    );
  }
}

function result(cell: Cell): string {
  if (cell.kind === 'connections') {
    return cell.stages.map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(1)} s`).join(', ');
  }
  const { deliveriesPerSecond, sendsPerSecond, cpuPerDelivery, ackP99, deliveryP99 } = figuresOf(cell);
  return [
    `${Math.round(deliveriesPerSecond)} deliveries/s`,
    `${Math.round(sendsPerSecond)} sends/s`,
    `${cpuPerDelivery.toFixed(1)} µs each`,
    `p99 ${ackP99.toFixed(1)} ms to the ack, ${deliveryP99.toFixed(1)} ms to the receivers`,
    ...(cell.offered.overrun ? ['overrun'] : []),
  ].join(', ');
}
