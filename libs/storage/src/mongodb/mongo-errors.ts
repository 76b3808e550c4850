import {
  StatementError,
  StorageError,
  StorageUnavailableError,
  UniqueViolationError,
} from '../storage-errors.js';

const DUPLICATE_KEY = 11000;
const NAMESPACE_EXISTS = 48;

/** Codes of what the server will never take: bad values, failed validation, too large a document or transaction. */
const NEVER_STORABLE = new Set([2, 9, 14, 121, 257, 388, 10334, 17280, 17419, 17420]);

/** What the driver and mongoose find wrong with a document before it leaves. */
const NOT_SENT = new Set([
  'BSONError',
  'CastError',
  'StrictModeError',
  'ValidationError',
  'MongoInvalidArgumentError',
]);

interface DriverError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly codeName?: unknown;
  readonly keyPattern?: Readonly<Record<string, unknown>>;
}

export function isDuplicateKey(error: unknown): boolean {
  return (error as DriverError).code === DUPLICATE_KEY;
}

export function isNamespaceExists(error: unknown): boolean {
  return (error as DriverError).code === NAMESPACE_EXISTS;
}

/**
 * The driver's error as one of ours. The driver's own holds documents, and so messages of users, in its text and
 * fields: it must not reach a log.
 */
export function storageErrorOf(error: unknown): unknown {
  // Not `instanceof Error`: test runners have several of those.
  if (error instanceof StorageError || typeof error !== 'object' || error === null) return error;
  const { name, message, code, codeName, keyPattern } = error as DriverError;
  if (code === DUPLICATE_KEY)
    return new UniqueViolationError(Object.keys(keyPattern ?? {}).join(', ') || 'an index');
  if (NEVER_STORABLE.has(code as number))
    return new StatementError(`MongoDB refuses it: ${nameOf(code, codeName)}`);
  if (NOT_SENT.has(name) || code === 'ERR_OUT_OF_RANGE')
    return new StatementError(`MongoDB cannot take it: ${name}`);
  if (typeof code === 'number')
    return new StorageUnavailableError(`MongoDB: ${name} ${nameOf(code, codeName)}`);
  // Without a code of the server's it is about connections, and names hosts at most. In the moment a server dies the
  // driver also lets plain errors of the socket through.
  if (name.startsWith('Mongo') || name === 'Error')
    return new StorageUnavailableError(`MongoDB: ${name}: ${message}`);
  return error;
}

function nameOf(code: unknown, codeName: unknown): string {
  return typeof codeName === 'string' ? `${codeName} (${String(code)})` : String(code);
}
