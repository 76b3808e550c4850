export * from './close-reasons.js';
export * from './commands.js';
export * from './conversation.js';
export * from './errors.js';
