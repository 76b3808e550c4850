export * from './load-config.js';
export { CONFIG, type Config } from './variables.js';
export type { CipherKey } from './kinds/secret-kinds.js';
