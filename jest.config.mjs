/** Unit tests and contract suites stand beside the code; tests of started processes in apps/<app>/test. */
export default {
  testMatch: ['<rootDir>/{apps,libs}/**/*.spec.ts'],
  testEnvironment: 'node',
  transform: {
    '^.+\\.(ts|js|mjs)$': [
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
  transformIgnorePatterns: ['/node_modules/(?!(@nestjs|@nats-io|@noble|jose|mongodb)/)'],
  moduleNameMapper: {
    '^@starling/([a-z-]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  reporters: ['default', '<rootDir>/libs/testing/src/engines/left-out-reporter.mjs'],
  testTimeout: 30_000,
  maxWorkers: 2,
};
