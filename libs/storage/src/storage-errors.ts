/** Anything the storage refuses or fails at. */
export abstract class StorageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** The data folder or the server cannot be used. The message is meant for whoever starts the process. */
export class StorageStartError extends StorageError {}

/**
 * The engine could not do it now: disk full, input/output error, too many waiting, closed. Whether a transaction
 * took effect is unknown: read back before trusting either.
 */
export class StorageUnavailableError extends StorageError {}

/** The statement or a value of it can never be stored: bad SQL, a CHECK, a NOT NULL, a wrong type, too big. */
export class StatementError extends StorageError {}

/** A unique constraint said no. The transaction had no effect. */
export class UniqueViolationError extends StorageError {
  constructor(
    /** The columns of the constraint as `table.column, table.column`, or `index 'name'` for one on an expression. */
    readonly constraint: string,
  ) {
    super(`unique constraint failed: ${constraint}`);
  }
}

/** A statement changed another number of rows than its `expectChanges`. The transaction had no effect. */
export class UnmetExpectationError extends StorageError {
  constructor(
    /** Index of the statement in its transaction. */
    readonly statement: number,
    readonly expected: number,
    readonly actual: number,
  ) {
    super(`statement ${statement} changed ${actual} rows instead of ${expected}`);
  }
}
