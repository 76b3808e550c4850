/** One run, for the table. */
export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly sends: number;
  /** Messages shown at all connections. */
  readonly deliveries: number;
  /** Tries beyond the first. */
  readonly retries: number;
  /** How often each error code was the reason for another try; `cut`: the connection or the answer was lost. */
  readonly reasons: Readonly<Record<string, number>>;
  /** From the first try of a message to its acknowledgement, the longest. */
  readonly slowestAckMs: number;
  /** The longest time in which nobody was acknowledged anything. */
  readonly quietMs: number;
  /** From the end of the load until everybody had been shown everything. */
  readonly catchUpMs: number;
  readonly reconnects: number;
  /** Of the scenario itself. */
  readonly figures: Figures;
  /** Of the checker; none when all promises held. */
  readonly verdicts: readonly string[];
}

export type Figures = Readonly<Record<string, number>>;

const COLUMNS = [
  'scenario',
  'seed',
  'sends',
  'deliveries',
  'retries',
  'reasons',
  'slowestAckMs',
  'quietMs',
  'catchUpMs',
  'reconnects',
  'figures',
  'verdicts',
] as const satisfies readonly (keyof Outcome)[];

export const TABLE_HEAD = COLUMNS.join('\t');

export function rowOf(outcome: Outcome): string {
  return COLUMNS.map((column) => {
    const value = outcome[column];
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }).join('\t');
}

/** What does not come back is broken, too. */
export function unfinished(scenario: string, seed: number, { message }: Error): Outcome {
  return {
    scenario,
    seed,
    sends: 0,
    deliveries: 0,
    retries: 0,
    reasons: {},
    slowestAckMs: 0,
    quietMs: 0,
    catchUpMs: 0,
    reconnects: 0,
    figures: {},
    verdicts: [`did not finish: ${message.split('\n', 1)[0]}`],
  };
}
