export * from './sqlite/sqlite-database.js';
export * from './sqlite/storage-errors.js';
export type { SqliteParams, SqliteRow, SqliteValue } from './sqlite/thread-messages.js';
