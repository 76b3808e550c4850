import { readFileSync } from 'node:fs';

/** As V8 writes it; times are microseconds of the clock of `process.hrtime`. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Where a thread's time went. Shares are of the time it was busy. */
export interface TimeSpent {
  /** Of the time looked at. */
  readonly busy: number;
  /** By whose code was running. */
  readonly byArea: readonly Share[];
  /** By the function of this project on whose behalf it was: itself, or the last of this project that called. */
  readonly byFunction: readonly Share[];
}

export interface Share {
  readonly name: string;
  readonly share: number;
}

interface Frame {
  readonly idle: boolean;
  readonly area: string;
  /** Null where none of this project's is among its callers. */
  readonly behalfOf: string | null;
}

const IDLE = '(idle)';
const OUTSIDE = 'Node, before and after any code of ours';
/** What V8 calls its own work. */
const NAMES: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'Node: outside JavaScript',
};

/** @param from, to the part of the profile to look at, milliseconds of `process.hrtime`. */
export function timeSpent(file: string, from: number, to: number): TimeSpent {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const frames = framesOf(profile);
  const areas = new Map<string, number>();
  const functions = new Map<string, number>();
  let busy = 0;
  let whole = 0;
  let at = profile.startTime;
  profile.samples.forEach((id, i) => {
    const micros = profile.timeDeltas[i]!;
    at += micros;
    if (at < from * 1000 || at > to * 1000) return;
    const frame = frames.get(id)!;
    whole += micros;
    if (frame.idle) return;
    busy += micros;
    areas.set(frame.area, (areas.get(frame.area) ?? 0) + micros);
    const behalfOf = frame.behalfOf ?? OUTSIDE;
    functions.set(behalfOf, (functions.get(behalfOf) ?? 0) + micros);
  });
  return { busy: busy / whole, byArea: shares(areas, busy), byFunction: shares(functions, busy) };
}

function framesOf({ nodes }: CpuProfile): Map<number, Frame> {
  const frames = new Map<number, Frame>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (id: number, caller: string | null): void => {
    const { callFrame, children = [] } = byId.get(id)!;
    const { functionName, url } = callFrame;
    const place = placeOf(url);
    const name = functionName || '(anonymous)';
    const behalfOf = place?.ours === true ? `${place.area}: ${name}` : caller;
    frames.set(id, {
      idle: functionName === IDLE,
      area: place?.folder ?? NAMES[functionName] ?? `native: ${name}`,
      behalfOf,
    });
    for (const child of children) visit(child, behalfOf);
  };
  visit(nodes[0]!.id, null);
  return frames;
}

/** `area` names the file, `folder` what it belongs to; null for what is in no file. */
function placeOf(url: string): { ours: boolean; area: string; folder: string } | null {
  const built = /\/dist\/((?:apps|libs)\/[^?]+)\.js/.exec(url)?.[1]?.replace('/src/', '/');
  if (built !== undefined) return { ours: true, area: `${built}.ts`, folder: built.replace(/\/[^/]+$/, '') };
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (dependency !== undefined) return { ours: false, area: dependency, folder: dependency };
  if (url.startsWith('node:')) {
    const module = url.split('/').slice(0, 2).join('/').replace('node:internal/', 'node:');
    return { ours: false, area: module, folder: module };
  }
  return null;
}

function shares(micros: ReadonlyMap<string, number>, whole: number): Share[] {
  return [...micros].map(([name, each]) => ({ name, share: each / whole })).sort((a, b) => b.share - a.share);
}
