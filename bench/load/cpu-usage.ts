import { readFileSync } from 'node:fs';

/** Of Linux's clock ticks, in which it counts CPU time. */
const MS_A_TICK = 10;
/** Of /proc/<pid>/stat, counted from the field after the name, which may hold spaces. */
const UTIME = 11;
const STIME = 12;
/** Of the first line of /proc/stat. */
const IDLE = 3;
const IOWAIT = 4;

/** CPU time that a process has used, all its threads, in user and kernel mode: milliseconds. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) * MS_A_TICK;
}

/** CPU time that the whole machine has used, all its cores: milliseconds. */
export function cpuMsOfMachine(): number {
  const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const ticks = first.trim().split(/ +/).slice(1, 9).map(Number);
  return ticks.reduce((sum, each, i) => (i === IDLE || i === IOWAIT ? sum : sum + each), 0) * MS_A_TICK;
}

/** Resident memory in bytes. */
export function residentBytesOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}
