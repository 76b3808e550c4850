import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Outcome, runScenario } from './run-scenario.js';
import { SCENARIOS } from './scenarios.js';

const USAGE = `npm run faults -- [options]

Runs every fault scenario with each seed and appends a line to the table for each. What the table has already is not
run again, so an interrupted run goes on where it stopped. The exit code is 1 when a promise was broken.

  --seeds N        1 to N; 10 by default
  --only TEXT      scenarios whose name contains it
  --table FILE     data/faults.tsv by default
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    table: { type: 'string', default: 'data/faults.tsv' },
  },
});

const COLUMNS = [
  'scenario',
  'seed',
  'sends',
  'deliveries',
  'retries',
  'reasons',
  'slowestAckMs',
  'catchUpMs',
  'reconnects',
  'verdicts',
] as const satisfies readonly (keyof Outcome)[];

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

function rowOf(outcome: Outcome): string {
  return COLUMNS.map((column) => {
    const value = outcome[column];
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }).join('\t');
}

/** What does not come back is broken, too. */
function unfinished(scenario: string, seed: number, { message }: Error): Outcome {
  const verdicts = [`did not finish: ${message.split('\n', 1)[0]}`];
  return {
    scenario,
    seed,
    sends: 0,
    deliveries: 0,
    retries: 0,
    reasons: {},
    slowestAckMs: 0,
    catchUpMs: 0,
    reconnects: 0,
    verdicts,
  };
}

async function main(): Promise<void> {
  if (values.help) return say(USAGE);
  const { table } = values;
  mkdirSync(dirname(table), { recursive: true });
  if (!existsSync(table)) appendFileSync(table, `${COLUMNS.join('\t')}\n`);
  const rows = readFileSync(table, 'utf8').split('\n');
  const done = new Set(rows.map((row) => row.split('\t').slice(0, 2).join('\t')));
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    for (const scenario of SCENARIOS.filter(({ name }) => name.includes(values.only))) {
      if (done.has(`${scenario.name}\t${seed}`)) continue;
      const outcome = await runScenario(scenario, seed).catch((error: Error) =>
        unfinished(scenario.name, seed, error),
      );
      const row = rowOf(outcome);
      appendFileSync(table, `${row}\n`);
      say(row);
      if (outcome.verdicts.length > 0) process.exitCode = 1;
    }
  }
}

await main();
