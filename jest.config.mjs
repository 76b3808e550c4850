/** What every run of tests is read with. */
export const basics = {
  testEnvironment: 'node',
  transform: {
    '^.+\\.(ts|[cm]?js)$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2024',
        },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [
    '/node_modules/(?!(@nestjs|@nats-io|@noble|@opentelemetry/otlp-exporter-base|jose|mongodb)/)',
  ],
  moduleNameMapper: {
    '^@starling/([a-z-]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

/**
 * Unit tests and contract suites stand beside the code; tests of started processes in apps/<app>/test. The end-to-end
 * tests of the gateway run in both profiles: on one process, and on a cluster with clients at two gateways; those in
 * test/cluster only there.
 */
export default {
  projects: [
    {
      ...basics,
      displayName: 'starling',
      testMatch: ['<rootDir>/{apps,libs,bench,deploy}/**/*.spec.ts'],
      testPathIgnorePatterns: ['/test/cluster/'],
    },
    {
      ...basics,
      displayName: 'cluster',
      testMatch: ['<rootDir>/apps/gateway/test/{,cluster/}*.e2e.spec.ts'],
      globals: { STARLING_PROFILE: 'cluster' },
      setupFilesAfterEnv: ['<rootDir>/libs/testing/src/starling/cluster-suites.ts'],
    },
    { ...basics, displayName: 'faults', testMatch: ['<rootDir>/faults/**/*.spec.ts'] },
  ],
  testSequencer: '<rootDir>/libs/testing/src/longest-first-sequencer.mjs',
  reporters: ['default', '<rootDir>/libs/testing/src/engines/left-out-reporter.mjs'],
  testTimeout: 30_000,
  maxWorkers: 2,
};
