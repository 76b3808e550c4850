import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Offered } from '../load/offer.js';

interface CellName {
  readonly variant: string;
  /** Of the point, or `connections`. */
  readonly point: string;
  /** From 1. */
  readonly round: number;
}

export interface MessagesCell extends CellName {
  readonly kind: 'messages';
  /** Of the processes in `offered.cpuMs`, in that order. */
  readonly roles: readonly string[];
  /** Those of `roles` that clients connect to. */
  readonly endsSockets: readonly boolean[];
  readonly offered: Offered;
}

/** Something that all connections did, and what it took. */
export interface Stage {
  readonly name: string;
  readonly ms: number;
  /** By what the processes are. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** Afterwards, of the processes that clients connect to. */
  readonly residentBytes: number;
}

export interface ConnectionsCell extends CellName {
  readonly kind: 'connections';
  readonly connections: number;
  readonly stages: readonly Stage[];
}

/** One measurement. */
export type Cell = MessagesCell | ConnectionsCell;

/** The cells of a run, kept one a line as they come, so that an interrupted run can go on. */
export class Cells {
  readonly all: Cell[];
  private readonly file: string;

  constructor(folder: string, resume: boolean) {
    mkdirSync(folder, { recursive: true });
    this.file = join(folder, 'cells.jsonl');
    if (!resume) rmSync(this.file, { force: true });
    const text = existsSync(this.file) ? readFileSync(this.file, 'utf8') : '';
    const lines = text.split('\n').filter((line) => line !== '');
    this.all = lines.map((line) => JSON.parse(line) as Cell);
  }

  has(name: CellName): boolean {
    return this.all.some((cell) => nameOf(cell) === nameOf(name));
  }

  add(cell: Cell): void {
    this.all.push(cell);
    appendFileSync(this.file, `${JSON.stringify(cell)}\n`);
  }
}

function nameOf({ variant, point, round }: CellName): string {
  return `${variant}/${point}/${round}`;
}
