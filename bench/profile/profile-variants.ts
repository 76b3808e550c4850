import { mkdtempSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Variant } from '../variants/variant.js';
import { LARGE_20K, LARGE_SATURATED, type Point, SMALL_20K, SMALL_SATURATED } from '../work/points.js';
import { Station } from '../work/station.js';
import { type Share, type TimeSpent, timeSpent } from './cpu-profile.js';

const POINTS: readonly Point[] = [LARGE_20K, LARGE_SATURATED, SMALL_20K, SMALL_SATURATED];
const TIMES = { leadMs: 1_000, countedMs: 6_000 };
const LINES = 22;
/** Less than this is noise. */
const SMALLEST = 0.005;
/** Of a process, the thread that runs its event loop; the others are the storage's. */
const MAIN_THREAD = '0';

/** Starling's variants under load, with Node's own profiler on: where the time of each process goes. */
export async function profileVariants(
  variants: readonly Variant[],
  out: string,
  say: (line: string) => void,
): Promise<void> {
  mkdirSync(out, { recursive: true });
  const sections: string[] = [];
  for (const variant of variants.filter(({ name }) => name.startsWith('Starling'))) {
    for (const point of POINTS) {
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
  const files = readdirSync(profiles);
  const seen = new Set<string>();
  return processes.flatMap(({ role, pid }) => {
    const own = files.filter((file) => file.split('.')[3] === String(pid));
    const main = own.find((file) => file.split('.')[4] === MAIN_THREAD);
    // One of several that do the same.
    if (main === undefined || seen.has(role)) return [];
    seen.add(role);
    const spent = timeSpent(join(profiles, main), counted.from, counted.to);
    return [section(`(${variant.letter}) ${role}, ${point.name}`, spent)];
  });
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
    `The event loop's thread was busy ${Math.round(busy * 100)} % of the time.`,
    `| share | code that ran |\n| --: | --- |\n${lines(byArea)}`,
    `| share | on behalf of |\n| --: | --- |\n${lines(byFunction)}`,
  ].join('\n\n');
}
