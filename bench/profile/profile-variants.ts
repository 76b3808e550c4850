import { mkdtempSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Variant } from '../variants/variant.js';
import type { Point } from '../work/points.js';
import { Station } from '../work/station.js';
import { type Share, type TimeSpent, timeSpent } from './cpu-profile.js';

const TIMES = { leadMs: 1_000, countedMs: 6_000 };
const LINES = 22;
/** Less than this is noise. */
const SMALLEST = 0.005;
/** Threads that do less are left out. */
const IDLE_BELOW = 0.02;

/** Starling's variants under load, with Node's own profiler on: where the time goes in one process of each kind. */
export async function profileVariants(
  variants: readonly Variant[],
  points: readonly Point[],
  out: string,
  say: (line: string) => void,
): Promise<void> {
  mkdirSync(out, { recursive: true });
  const sections: string[] = [];
  for (const variant of variants.filter(({ name }) => name.startsWith('Starling'))) {
    for (const point of points) {
      say(`(${variant.letter}) ${variant.name} | ${point.name} …`);
      sections.push(...(await profile(variant, point)));
      writeFileSync(join(out, 'profile.md'), `${sections.join('\n\n')}\n`);
    }
  }
  say(sections.join('\n\n'));
}

async function profile(variant: Variant, point: Point): Promise<string[]> {
  const profiles = mkdtempSync(join(tmpdir(), 'starling-profiles-'));
  const station = await Station.start(variant, { profiles: resolve(profiles) });
  const { processes } = station.running;
  let counted = { from: 0, to: 0 };
  try {
    // Once for the crowd to come and the code to warm up.
    await station.measure(point, TIMES);
    const begin = Number(process.hrtime.bigint()) / 1e6;
    const { countedMs } = await station.measure(point, TIMES);
    counted = { from: begin + TIMES.leadMs, to: begin + TIMES.leadMs + countedMs };
  } finally {
    await station.stop();
  }
  const files = readdirSync(profiles).map((name) => ({ name, ...partsOf(name) }));
  const first = processes.filter(({ role }, i) => processes.findIndex((each) => each.role === role) === i);
  return first.flatMap(({ role, pid }) =>
    files
      .filter((file) => file.pid === pid)
      .sort((a, b) => a.thread - b.thread)
      .flatMap(({ name, thread }) => {
        const spent = timeSpent(join(profiles, name), counted.from, counted.to);
        if (spent.busy < IDLE_BELOW) return [];
        const of = thread === 0 ? '' : `, thread ${thread}`;
        return [section(`(${variant.letter}) ${role}${of}, ${point.name}`, spent)];
      }),
  );
}

/** Node names them `CPU.<date>.<time>.<pid>.<thread>.<count>.cpuprofile`. */
function partsOf(name: string): { pid: number; thread: number } {
  const [, , , pid, thread] = name.split('.');
  return { pid: Number(pid), thread: Number(thread) };
}

function section(title: string, { busy, byArea, byFunction }: TimeSpent): string {
  const lines = (shares: readonly Share[]): string =>
    shares
      .filter(({ share }) => share >= SMALLEST)
      .slice(0, LINES)
      .map(({ name, share }) => `| ${(share * 100).toFixed(1)} % | ${name} |`)
      .join('\n');
  return [
    `### ${title}`,
    `Busy ${Math.round(busy * 100)} % of the time.`,
    `| share | code that ran |\n| --: | --- |\n${lines(byArea)}`,
    `| share | on behalf of |\n| --: | --- |\n${lines(byFunction)}`,
  ].join('\n\n');
}
