import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../../..');

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

function sources(): string[] {
  return ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\/src\/.*\.ts$/.test(file) && !/\.spec\.ts$|^testing\//.test(file))
      .map((file) => readFileSync(join(ROOT, folder, file), 'utf8')),
  );
}

/** What a file makes by `new Counter({ name: 'starling_…', … })` and the like. */
function metricsIn(source: string): Metric[] {
  const made = source.matchAll(/new (Counter|Gauge|Histogram|Summary)(?:<[^>]*>)?\(\{([^]*?)\}\)/g);
  return [...made].flatMap(([, type, options]) => {
    const name = /\bname: ['`]([^'`]*)['`]/.exec(options!)?.[1] ?? `unreadable: ${options}`;
    const labels = [...(/labelNames: \[(.*?)\]/.exec(options!)?.[1] ?? '').matchAll(/'(\w+)'/g)];
    const metric = { type: type!.toLowerCase(), labels: labels.map(([, label]) => label!) };
    return namesOf(name, source).map((each) => ({ name: each, ...metric }));
  });
}

/** The feed's counters are made by a function `counter(name, help)`, which puts the name into one that is longer. */
function namesOf(name: string, source: string): string[] {
  if (!name.includes('${name}')) return [name];
  return [...source.matchAll(/\bcounter\(\s*'(\w+)'/g)].map(([, part]) => name.replace('${name}', part!));
}

const documented = readFileSync(join(ROOT, 'docs/observability.md'), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .filter((cells) => cells[1]?.startsWith('starling_'))
  .map(([, name, type, labels, process, meaning]) => ({
    metric: { name, type, labels: labels!.split(', ').filter((label) => label !== '') },
    process,
    meaning,
  }));

describe('the metrics of docs/observability.md', () => {
  it('are those of the code, and no others, with their types and labels', () => {
    const byName = (one: { name?: string }, other: { name?: string }) => (one.name! < other.name! ? -1 : 1);
    expect(documented.map(({ metric }) => metric).sort(byName)).toEqual(
      sources().flatMap(metricsIn).sort(byName),
    );
  });

  it('have a process and a meaning', () => {
    for (const { process, meaning } of documented) {
      expect(process).not.toBe('');
      expect(meaning).not.toBe('');
    }
  });
});
