import { basics } from '../../../jest.config.mjs';

/** The long run over every decoder: `npm run fuzz`. A short share of it is in src/decoders.spec.ts. */
export default {
  ...basics,
  rootDir: '../../..',
  testMatch: ['<rootDir>/libs/protocol/fuzz/*.fuzz.ts'],
  // The cipher library is ESM.
  transformIgnorePatterns: ['/node_modules/(?!(@noble)/)'],
  testTimeout: 1_800_000,
};
