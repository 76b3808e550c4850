/** What the storage threads are told and what they answer. Types only: the thread's file may import nothing else. */

/** A boolean is stored as 0 or 1 by whoever writes it. */
export type SqliteValue = null | number | bigint | string | Uint8Array;
export type SqliteParams = readonly SqliteValue[];
export type SqliteRow = Record<string, SqliteValue>;

export interface PlainStatement {
  readonly sql: string;
  /** Values for every parameter of the statement, in order; one run of the statement for each entry. */
  readonly runs: readonly SqliteParams[];
  readonly expectChanges: number | null;
}

export interface StatementResult {
  /** Rows changed by the statement itself (not by triggers or cascades), over all its runs. */
  readonly changes: number;
  /** Rows of a SELECT or a RETURNING clause, over all runs in order. */
  readonly rows: SqliteRow[];
}

/** An error as it crosses threads; becomes one of the classes of storage-errors.ts. */
export type ThreadFailure =
  | { readonly kind: 'unavailable'; readonly message: string }
  | { readonly kind: 'statement'; readonly message: string }
  | { readonly kind: 'unique'; readonly constraint: string }
  | {
      readonly kind: 'unmet';
      readonly statement: number;
      readonly expected: number;
      readonly actual: number;
    };

export type ThreadResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: ThreadFailure };

export type ThreadJob =
  | { readonly kind: 'read'; readonly sql: string; readonly params: SqliteParams }
  | { readonly kind: 'write'; readonly transactions: readonly (readonly PlainStatement[])[] }
  | { readonly kind: 'migrate'; readonly owner: string; readonly steps: readonly string[] }
  | { readonly kind: 'close' };

export interface ThreadAnswer {
  readonly id: number;
  readonly result: ThreadResult<unknown>;
}

export interface ThreadStart {
  readonly file: string;
  readonly role: 'writer' | 'reader';
}
