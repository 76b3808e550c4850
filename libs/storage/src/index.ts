export * from './sqlite/sqlite-database.js';
export * from './sqlite/storage-errors.js';
