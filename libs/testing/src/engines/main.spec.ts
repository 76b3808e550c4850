import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartedProcess } from '../process/started-process.js';
import { until } from '../process/until.js';
import { describeWithEngines } from './describe-with-engines.js';
import { freePort } from './free-port.js';
import { isAlive } from './process-lock.js';

describeWithEngines(['nats', 'redis', 'mongodb'], 'npm run engines', () => {
  let folder: string;
  let ports: Record<'nats' | 'redis' | 'mongodb', number>;
  let command: StartedProcess | undefined;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-engines-spec-'));
    ports = { nats: await freePort(), redis: await freePort(), mongodb: await freePort() };
  });
  afterEach(async () => {
    await command?.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function run(...options: string[]): StartedProcess {
    const script = ['--import', './deploy/typescript.mjs', 'libs/testing/src/engines/main.ts'];
    const { PATH = '', HOME = '', XDG_CACHE_HOME = '' } = process.env;
    const env = { PATH, HOME, XDG_CACHE_HOME };
    return new StartedProcess('engines', [...script, '--data-dir', folder, ...options], env);
  }

  /** Resolves with the pids of the engines. */
  async function started(): Promise<number[]> {
    const chosen = Object.entries(ports).flatMap(([engine, port]) => [`--${engine}-port`, String(port)]);
    command = run(...chosen);
    const { lines } = command;
    await until('the last line', () => command!.exit ?? lines.includes('Ctrl-C stops them.'), 30_000);
    return lines
      .flatMap((line) => Number(/runs \(pid (\d+)\)/.exec(line)?.[1] ?? NaN))
      .filter(Number.isInteger);
  }

  it('starts all three on the given ports, says where they are, and stops them on SIGTERM', async () => {
    const pids = await started();
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    expect(command!.lines).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^NATS_URL=nats://127.0.0.1:${ports.nats} REDIS_URL=redis://127.0.0.1:${ports.redis} ` +
            `MONGODB_URL=mongodb://127.0.0.1:${ports.mongodb}/starling\\?replicaSet=\\w+$`,
        ),
      ),
    );
    expect(await command!.end('SIGTERM', 30_000)).toMatchObject({ code: 0 });
    expect(pids.map(isAlive)).toEqual([false, false, false]);
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });

  it('leaves no engine behind when it is killed, and runs once on a folder', async () => {
    const pids = await started();
    const second = run();
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.lines.at(-1)).toContain(`process ${command!.pid} runs engines on ${folder}`);
    await command!.end('SIGKILL');
    await until('the end of the engines', () => !pids.some(isAlive));
    await started();
    expect(command!.lines).toContain('Ctrl-C stops them.');
  }, 120_000);

  it('ends, and takes the others with it, when an engine ends by itself', async () => {
    const pids = await started();
    process.kill(pids[1]!, 'SIGKILL');
    expect(await command!.exited).toMatchObject({ code: 1 });
    expect(command!.lines.at(-1)).toMatch(/(valkey|redis)-server ended by itself; its log is/);
    expect(pids.map(isAlive)).toEqual([false, false, false]);
  });

  it('refuses a port that is none', async () => {
    const refused = run('--nats-port', '70000');
    expect(await refused.exited).toMatchObject({ code: 1 });
    expect(refused.lines.at(-1)).toBe('--nats-port must be a port from 1 to 65535, not 70000');
  });
});
