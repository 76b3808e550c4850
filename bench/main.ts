import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { profileVariants } from './profile/profile-variants.js';
import { Cells } from './report/cells.js';
import { describeMachine } from './report/machine.js';
import { standings } from './report/goals.js';
import { reportOf } from './report/tables.js';
import { runBench, type Settings } from './run.js';
import { bareWs, socketIo, socketIoOnRedis } from './variants/plain-variants.js';
import { starlingCluster, starlingEmbedded, starlingOf } from './variants/starling-variants.js';
import { POINTS } from './work/points.js';

const USAGE = `npm run bench -- [options]

Measures Starling, embedded (d) and as a cluster (e), beside a bare ws loop (a), Socket.IO (b), and Socket.IO with its
Redis adapter on two pods (c): the same bytes from the same load generator, the variants in turns, round after round. The
whole takes about 45 minutes. Linux only, on a machine that has nothing else to do.

  --quick            a few points, short and once: about two minutes
  --only TEXT        points whose name contains it ("100 × 10", "saturation", "connections")
  --variants LETTERS for example ad
  --rounds N         3 by default, 1 when quick
  --seconds N        that each measurement counts; 8 by default, 2 when quick
  --quiet CORES      wait for moments in which others use no more than so many cores, for example 0.2
  --against FOLDER   another checkout of Starling, built: its embedded profile becomes the variant (d0)
  --out FOLDER       data/bench by default: table.md, results.json, and cells.jsonl
  --resume           go on with the interrupted run of that folder
  --profile          instead of all that, profile (d) and (e) at these points and say where their time goes
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    variants: { type: 'string', default: 'abcde' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quiet: { type: 'string' },
    against: { type: 'string' },
    out: { type: 'string', default: 'data/bench' },
    resume: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

function settings(): Settings {
  const { quick, only, rounds, seconds, quiet } = values;
  return {
    rounds: Number(rounds ?? (quick ? 1 : 3)),
    countedMs: Number(seconds ?? (quick ? 2 : 8)) * 1000,
    quietCores: quiet === undefined ? null : Number(quiet),
    leadMs: quick ? 500 : 1000,
    points: POINTS.filter((point) => (point.quick || !quick) && point.name.includes(only)),
    connections: 'connections'.includes(only) ? (quick ? 500 : 5000) : 0,
  };
}

async function main(): Promise<void> {
  if (values.help) return say(USAGE);
  const given = ['NATS_URL', 'REDIS_URL', 'MONGODB_URL'].filter((name) => process.env[name]);
  if (given.length > 0) {
    say(`The bench counts what its engines cost, so it starts its own: unset ${given.join(', ')}.`);
    process.exitCode = 1;
    return;
  }
  const all = [bareWs, socketIo, socketIoOnRedis, starlingEmbedded, starlingCluster];
  const variants = all.filter(({ letter }) => values.variants.includes(letter));
  if (values.against !== undefined) variants.push(starlingOf(values.against));
  if (values.profile) {
    await profileVariants(variants, settings().points, values.out, say);
    return;
  }
  const machine = describeMachine();
  const cells = new Cells(values.out, values.resume);
  const write = (): string => {
    const report = reportOf(machine, variants, cells.all);
    writeFileSync(join(values.out, 'table.md'), report);
    const messages = cells.all.filter((cell) => cell.kind === 'messages');
    const results = { machine, goals: standings(messages), cells: cells.all };
    writeFileSync(join(values.out, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
    return report;
  };
  await runBench(settings(), variants, cells, say, write);
  say(`\n${write()}`);
}

await main();
