import type { Variant } from '../variants/variant.js';
import { POINTS } from '../work/points.js';
import type { Cell, ConnectionsCell, MessagesCell, Stage } from './cells.js';
import { cpuPerSendByRole, type Figures, figuresOf, median, sum } from './figures.js';
import { type Standing, standings } from './goals.js';
import type { Machine } from './machine.js';

/** From here on the generator may be what is measured. */
const GENERATOR_LIMIT = 0.9;

/** The whole report as markdown. */
export function reportOf(machine: Machine, variants: readonly Variant[], cells: readonly Cell[]): string {
  const messages = cells.filter((cell) => cell.kind === 'messages');
  const connections = cells.filter((cell) => cell.kind === 'connections');
  const sections = [
    machineLines(machine),
    ...POINTS.map(({ name }) => pointTable(name, variants, messages)),
    roleTable(variants, messages),
    connectionsTable(variants, connections),
    goalsTable(standings(messages)),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function machineLines(machine: Machine): string {
  const { date, commit, cpu, cores, memoryGb, kernel, fsyncMs, versions } = machine;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date.slice(0, 10)}, commit ${commit}; ${cores} × ${cpu}, ${memoryGb} GB, Linux ${kernel}, fsync of 4 KB ${fsyncMs.toFixed(2)} ms.`,
    `${named.join(', ')}.`,
  ].join('\n');
}

function pointTable(point: string, variants: readonly Variant[], cells: readonly MessagesCell[]): string {
  const rows = variants.flatMap(({ letter, name }) => {
    const own = cells.filter((cell) => cell.point === point && cell.variant === letter);
    if (own.length === 0) return [];
    const all = own.map(figuresOf);
    const of = (figure: keyof Figures): number => median(all.map((figures) => figures[figure]));
    return [
      [
        `(${letter}) ${name}`,
        whole(of('deliveriesPerSecond')),
        whole(of('sendsPerSecond')),
        ranged(all.map(({ cpuPerDelivery }) => cpuPerDelivery)),
        of('socketCpuPerDelivery').toFixed(1),
        whole(of('cpuPerSend')),
        `${ms(of('ackP50'))} / ${ms(of('ackP99'))}`,
        `${ms(of('deliveryP50'))} / ${ms(of('deliveryP99'))}`,
        `${of('generatorCpuPerDelivery').toFixed(1)}, ${percent(of('generatorCores'))}`,
        ms(of('latenessP99')),
        of('foreignCores').toFixed(2),
        remarks(own, of('generatorCores')),
      ],
    ];
  });
  if (rows.length === 0) return '';
  const head = [
    'variant',
    'deliveries/s',
    'acknowledged sends/s',
    'CPU µs/delivery (rounds)',
    'of it at the sockets',
    'CPU µs/send',
    'ack p50 / p99 ms',
    'delivery p50 / p99 ms',
    'generator µs/delivery, core',
    'it was late p99 ms',
    'cores used by others',
    '',
  ];
  return `### ${point}\n\n${table(head, rows)}`;
}

function remarks(cells: readonly MessagesCell[], generatorCores: number): string {
  const offered = cells.map((cell) => cell.offered);
  const refused = sum(offered.map((each) => each.refused));
  const missing = sum(offered.map((each) => Math.abs(each.missing)));
  const overruns = offered.filter(({ overrun }) => overrun).length;
  return [
    overruns > 0 ? `overrun in ${overruns} of ${offered.length} rounds` : '',
    refused > 0 ? `${refused} sends refused` : '',
    missing > 0 ? `${missing} deliveries missing or too many` : '',
    generatorCores > GENERATOR_LIMIT ? 'the generator was at its limit' : '',
  ]
    .filter((text) => text !== '')
    .join('; ');
}

/** Where the CPU time of a send goes, of variants of several processes. */
function roleTable(variants: readonly Variant[], cells: readonly MessagesCell[]): string {
  const rows = POINTS.flatMap(({ name: point }) =>
    variants.flatMap(({ letter }) => {
      const own = cells.filter((cell) => cell.point === point && cell.variant === letter);
      if (own.length === 0 || new Set(own[0]!.roles).size < 2) return [];
      const all = own.map(cpuPerSendByRole);
      const roles = [...all[0]!.keys()].map(
        (role) => `${role} ${whole(median(all.map((byRole) => byRole.get(role)!)))}`,
      );
      return [[point, `(${letter})`, roles.join(', ')]];
    }),
  );
  if (rows.length === 0) return '';
  return `### CPU µs for each acknowledged send, by process\n\n${table(['work', 'variant', 'processes'], rows)}`;
}

function connectionsTable(variants: readonly Variant[], cells: readonly ConnectionsCell[]): string {
  const rows = variants.flatMap(({ letter, name }) =>
    cells
      .filter((cell) => cell.variant === letter)
      .map((cell) => [`(${letter}) ${name}`, ...connectionsRow(cell)]),
  );
  if (rows.length === 0) return '';
  const head = [
    'variant',
    'connections',
    'RSS KB each: connected',
    'logged in',
    'in five groups',
    'connecting: all, CPU each',
    'login',
    'five joins',
    'coming back',
  ];
  return `### Connections\n\n${table(head, rows)}`;
}

function connectionsRow({ connections, stages }: ConnectionsCell): string[] {
  const stage = (wanted: string): Stage => stages.find(({ name }) => name === wanted)!;
  const { residentBytes: atStart } = stage('started');
  const kbEach = (after: string): string =>
    ((stage(after).residentBytes - atStart) / connections / 1024).toFixed(1);
  const took = (what: string): string => {
    const { ms: wall, cpuMs } = stage(what);
    const roles = Object.entries(cpuMs);
    const each = (cpu: number): string => (cpu / connections).toFixed(2);
    const parts = roles.map(([role, cpu]) => `${role} ${each(cpu)}`).join(', ');
    const total = `${(wall / 1000).toFixed(1)} s, ${each(sum(Object.values(cpuMs)))} ms`;
    return roles.length > 1 ? `${total} (${parts})` : total;
  };
  return [
    whole(connections),
    kbEach('connected'),
    kbEach('logged in'),
    kbEach('in five groups'),
    took('connected'),
    took('logged in'),
    took('in five groups'),
    took('back'),
  ];
}

function goalsTable(all: readonly Standing[]): string {
  if (all.length === 0) return '';
  const rows = all.map(({ what, where, goal, median: middle, lowest, highest, met }) => [
    what,
    where,
    goal,
    `${short(middle)} (${short(lowest)} to ${short(highest)})`,
    met ? 'met' : 'missed',
  ]);
  return `### Goals\n\n${table(['what', 'work', 'goal', 'measured (rounds)', ''], rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function ranged(values: readonly number[]): string {
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const range = values.length > 1 ? ` (${lowest.toFixed(1)}–${highest.toFixed(1)})` : '';
  return `${median(values).toFixed(1)}${range}`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(1) : whole(value);
}

function short(value: number): string {
  return value < 100 ? value.toFixed(2) : whole(value);
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
