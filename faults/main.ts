import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { rowOf, TABLE_HEAD } from './outcome.js';
import { SCENARIOS } from './scenarios.js';
import { Stages } from './stages.js';

const USAGE = `npm run faults -- [options]

Runs every fault scenario with each seed and appends a line to the table for each. What the table has already is not
run again, so an interrupted run goes on where it stopped. The exit code is 1 when a promise was broken.

  --seeds N        1 to N; 10 by default
  --only TEXT      scenarios whose name contains it
  --table FILE     data/faults.tsv by default
  --logs FOLDER    for what the processes wrote; data/faults by default
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    table: { type: 'string', default: 'data/faults.tsv' },
    logs: { type: 'string', default: 'data/faults' },
  },
});

function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

async function main(): Promise<void> {
  if (values.help) return say(USAGE);
  const { table } = values;
  mkdirSync(dirname(table), { recursive: true });
  if (!existsSync(table)) appendFileSync(table, `${TABLE_HEAD}\n`);
  const rows = readFileSync(table, 'utf8').split('\n');
  const done = new Set(rows.map((row) => row.split('\t').slice(0, 2).join('\t')));
  const stages = new Stages(values.logs);
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    for (const scenario of SCENARIOS.filter(({ name }) => name.includes(values.only))) {
      if (done.has(`${scenario.name}\t${seed}`)) continue;
      const outcome = await stages.play(scenario, seed);
      const row = rowOf(outcome);
      appendFileSync(table, `${row}\n`);
      say(row);
      if (outcome.verdicts.length > 0) process.exitCode = 1;
    }
  }
  await stages.close();
}

await main();
