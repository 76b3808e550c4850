export { MongoModule } from './mongodb/mongo.module.js';
export * from './mongodb/mongo-collection.js';
export * from './mongodb/mongo-database.js';
export * from './mongodb/mongo-errors.js';
export * from './mongodb/mongo-migration.js';
export * from './mongodb/mongo-writers.js';
export * from './sqlite/sqlite-database.js';
export * from './storage-errors.js';
