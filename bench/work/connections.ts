import { setTimeout as delay } from 'node:timers/promises';
import { cpuMsOf, residentBytesOf } from '../load/cpu-usage.js';
import { Generator } from '../load/generator-process.js';
import type { ConnectionsCell, Stage } from '../report/cells.js';
import type { Counted, Running } from '../variants/variant.js';

const GROUPS_EACH = 5;
const GROUP_SIZE = 50;
/** Until garbage of the stage before has been looked at, if the process cares. */
const IDLE_MS = 3_000;

/** So many connections log in and join five groups each, go away, and come back to their groups. */
export async function measureConnections(
  { targets, processes }: Running,
  connections: number,
): Promise<ConnectionsCell['stages']> {
  const groups = (connections * GROUPS_EACH) / GROUP_SIZE;
  const generator = await Generator.start({
    name: 'c',
    connections,
    groups,
    groupsEach: GROUPS_EACH,
    targets,
  });
  const stages: Stage[] = [];
  const stage = async (name: string, act: () => Promise<void>): Promise<void> => {
    const before = processes.map(({ pid }) => cpuMsOf(pid));
    const begin = performance.now();
    await act();
    const ms = performance.now() - begin;
    const cpuMs: Record<string, number> = {};
    processes.forEach(({ role, pid }, i) => {
      cpuMs[role] = (cpuMs[role] ?? 0) + cpuMsOf(pid) - before[i]!;
    });
    await delay(IDLE_MS);
    stages.push({ name, ms, cpuMs, residentBytes: residentOf(processes) });
  };
  try {
    await stage('started', async () => {});
    await stage('connected', () => generator.connect());
    await stage('logged in', () => generator.logIn());
    await stage('in five groups', () => generator.join());
    await stage('gone', () => generator.disconnect());
    await stage('back', async () => {
      await generator.connect();
      await generator.logIn();
    });
  } finally {
    await generator.stop();
  }
  return stages;
}

/** Of what connections are held by. */
function residentOf(processes: readonly Counted[]): number {
  return processes.reduce((sum, { pid, endsSockets }) => sum + (endsSockets ? residentBytesOf(pid) : 0), 0);
}
