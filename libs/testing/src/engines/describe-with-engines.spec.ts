import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { StartedProcess } from '../process/started-process.js';

/** Suites of a project on a machine that has neither engines nor anything to install them with. */
const TESTS = (engines: string) => `
import { describeWithEngines, describeWithOwnEngines } from '${engines}';

describeWithEngines(['nats', 'redis'], 'carrying messages', () => {
  it('carries one', () => expect(1).toBe(2));
});
describeWithOwnEngines(['redis'], 'losing redis', () => {
  it('survives', () => expect(1).toBe(2));
});
describeWithEngines([], 'thinking', () => {
  it('needs no engine', () => expect(1).toBe(1));
});
`;

describe('a test run without engines', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'starling-left-out-'));
    writeFileSync(join(folder, 'some.spec.ts'), TESTS(resolve(__dirname, 'describe-with-engines.ts')));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function run(env: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
    const args = ['node_modules/jest/bin/jest.js', '--selectProjects', 'starling', '--roots', folder];
    args.push('--testMatch', '**/*.spec.ts');
    const reporters = ['default', resolve(__dirname, 'left-out-reporter.mjs')];
    const options = [...reporters.flatMap((reporter) => ['--reporters', reporter]), '--verbose', '--ci'];
    const jest = new StartedProcess('jest', [...args, ...options, '--colors=false'], {
      PATH: join(folder, 'bin'),
      HOME: folder,
      ...env,
    });
    const { code } = await jest.exited;
    return { code, output: jest.lines.join('\n') };
  }

  it('passes with what needs none, and says at its end what did not run, why, and how to change that', async () => {
    const { code, output } = await run();
    expect(output).toMatch(/1 passed/);
    expect(output).toMatch(/2 skipped/);
    expect(code).toBe(0);
    const end = output.slice(output.indexOf('NOT RUN: 2 suites, for want of an engine.'));
    expect(end).toMatch(/carrying messages {2}\(.*some\.spec\.ts; nats, redis\)/);
    expect(end).toMatch(/losing redis {2}\(.*some\.spec\.ts; redis\)/);
    expect(end).toMatch(/nats: no nats-server on the PATH; .*; there is no python3 on the PATH/);
    expect(end.match(/redis: no valkey-server on the PATH/g)).toHaveLength(1);
    expect(end).toMatch(/To get it: put redis-server .*apt-get install redis-server/);
    expect(end).toContain('npm run engines -- --install-only');
  });

  it('tries only once to install what can not be had', async () => {
    writeFileSync(join(folder, 'other.spec.ts'), TESTS(resolve(__dirname, 'describe-with-engines.ts')));
    const { output } = await run();
    expect(output).toMatch(/NOT RUN: 4 suites/);
    expect(output.match(/^Installing nats-server/gm)).toHaveLength(1);
  });

  it('fails with REQUIRE_ENGINES=1', async () => {
    const { code, output } = await run({ REQUIRE_ENGINES: '1' });
    expect(code).toBe(1);
    expect(output).toMatch(/2 failed, 1 passed/);
    expect(output).toMatch(/nats: no nats-server on the PATH/);
    expect(output).not.toMatch(/NOT RUN/);
  });

  it('uses engines that the environment names, and disturbs none of them', async () => {
    const given = { NATS_URL: 'nats://127.0.0.1:4222', REDIS_URL: 'redis://127.0.0.1:6379' };
    const { code, output } = await run({ ...given, REQUIRE_ENGINES: '1' });
    // The first suite runs, and its expectation fails as it is written to.
    expect(code).toBe(1);
    expect(output).toMatch(/1 failed, 1 skipped, 1 passed/);
    expect(output).toMatch(/NOT RUN: 1 suite, for want/);
    expect(output).toMatch(/REDIS_URL names one that others started/);
  });
});
