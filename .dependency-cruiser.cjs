/** Who may import whom. The rules of CONTRIBUTING.md ("The house"), checked by `npm run check`. */
const app = '^apps/([^/]+)/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle hides which part stands on which.',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'protocol-and-config-stand-alone',
      comment:
        'protocol runs in browsers and config is read before anything else: they import nothing of ours.',
      severity: 'error',
      from: { path: '^libs/(protocol|config)/src/' },
      to: { path: '^(libs|apps)/', pathNot: '^libs/$1/' },
    },
    {
      name: 'protocol-runs-in-browsers',
      severity: 'error',
      from: { path: '^libs/protocol/src/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-never-import-each-other',
      comment:
        'Apps speak over the bus. Only standalone and migrate wire them together, by their public door.',
      severity: 'error',
      from: { path: app, pathNot: '^apps/(standalone|migrate)/' },
      to: { path: app, pathNot: '^apps/$1/' },
    },
    {
      name: 'wiring-uses-the-doors-of-apps',
      severity: 'error',
      from: { path: '^apps/(standalone|migrate)/' },
      to: { path: app, pathNot: '^apps/($1/|[^/]+/src/index\\.ts$)' },
    },
    {
      name: 'libs-have-one-door',
      severity: 'error',
      from: { path: '^(?:apps|libs|faults|deploy)/([^/]+)' },
      to: { path: '^libs/([^/]+)/', pathNot: '^libs/($1/|[^/]+/src/index\\.ts$)' },
    },
    {
      name: 'testing-is-for-tests',
      comment: 'And for start:cluster, which runs on the same engines as tests do.',
      severity: 'error',
      from: { pathNot: '(\\.spec\\.ts$|\\.contract\\.ts$|/test/|^libs/testing/|^bench/|^faults/|^deploy/)' },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'bench-stands-outside',
      comment:
        'It measures started processes by their sockets, with frames of its own; and nothing needs it.',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '^(apps|libs)/', pathNot: '^libs/testing/src/index\\.ts$' },
    },
    {
      name: 'nobody-imports-bench',
      severity: 'error',
      from: { pathNot: '^bench/' },
      to: { path: '^bench/' },
    },
    {
      name: 'sockets-stay-in-the-connection-folder',
      comment: 'Everything else sees connections through connection/connection.ts.',
      severity: 'error',
      from: {
        path: '^(apps|libs)/',
        pathNot: '(^apps/gateway/src/connection/|^libs/rooms/|^libs/testing/|\\.spec\\.ts$|/test/)',
      },
      to: {
        path: '(^|/)node_modules/(ws|socket\\.io|engine\\.io|socket\\.io-adapter|@nestjs/websockets|@nestjs/platform-socket\\.io)/',
      },
    },
    {
      name: 'no-tests-in-production-code',
      severity: 'error',
      from: { pathNot: '(\\.spec\\.ts$|\\.contract\\.ts$|/test/|/fuzz/|^libs/testing/)' },
      to: { path: '(\\.spec\\.ts$|\\.contract\\.ts$|^node_modules/(jest|fast-check|socket\\.io-client)/)' },
    },
    {
      name: 'no-nameless-places',
      comment: 'Name the concept, or keep the function beside its user.',
      severity: 'error',
      from: {},
      to: { path: '^(apps|libs)/.*(^|/)(utils?|common|shared|helpers?)(/|\\.ts$)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
