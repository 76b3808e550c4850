import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './find-program.js';

/** A machine that is empty but for what a test puts on its PATH or into its cache folder. */
describe('finding a program for an engine', () => {
  let home: string;
  let bin: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'starling-machine-'));
    bin = join(home, 'bin');
    mkdirSync(bin);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const machine = () => ({ PATH: `${join(home, 'nothing')}:${bin}`, HOME: home });

  function onThePath(name: string, says: string, code = 0): string {
    return executable(join(bin, name), `#!/bin/sh\necho '${says}'\nexit ${code}\n`);
  }

  function executable(file: string, text: string): string {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }

  function inTheCache(folder: string, file: string, python: string | null = null): string {
    const installed = join(home, '.cache', 'starling', 'engines', folder);
    executable(join(installed, file), '#!/bin/sh\n');
    writeFileSync(join(installed, 'installed.json'), JSON.stringify({ python }));
    return installed;
  }

  const find = (engine: 'nats' | 'redis' | 'mongodb', install = false) =>
    findProgram(engine, { machine: machine(), install });

  it.each([
    ['nats', 'nats-server', 'nats-server: v2.12.0', '2.12.0'],
    ['redis', 'redis-server', 'Redis server v=7.0.15 sha=00000000:0', '7.0.15'],
    ['redis', 'valkey-server', 'Valkey server v=8.0.1 sha=00000000:0', '8.0.1'],
    ['mongodb', 'mongod', 'db version v7.0.14', '7.0.14'],
  ] as const)('takes for %s the %s that is on the PATH and new enough', (engine, name, says, version) => {
    const file = onThePath(name, says);
    expect(find(engine)).toEqual({ name, version, argv: [file], env: {} });
  });

  it.each([
    ['nats', 'nats-server', 'nats-server: v2.11.9', 'older than 2.12'],
    ['redis', 'redis-server', 'Redis server v=6.2.16 sha=00000000:0', 'older than 7'],
    ['mongodb', 'mongod', 'db version v6.0.19', 'older than 7'],
    ['nats', 'nats-server', 'what?', 'does not tell its version'],
  ] as const)('does not take for %s a %s that says %j', (engine, name, says, why) => {
    onThePath(name, says);
    expect(find(engine)).toMatchObject({ why: expect.stringContaining(why) });
  });

  it('does not take a program that fails when it is asked for its version', () => {
    onThePath('nats-server', 'nats-server: v2.15.1', 127);
    expect(find('nats')).toMatchObject({ why: expect.stringContaining('does not tell its version') });
  });

  it('takes a valkey-server before a redis-server', () => {
    onThePath('redis-server', 'Redis server v=8.2.0');
    onThePath('valkey-server', 'Valkey server v=8.0.1');
    expect(find('redis')).toMatchObject({ name: 'valkey-server' });
  });

  it('takes the PATH before the cache folder, and the cache folder when the PATH has only an old one', () => {
    const installed = inTheCache('nats-server-2.15.1', 'bin/nats-server');
    onThePath('nats-server', 'nats-server: v2.10.0');
    expect(find('nats')).toMatchObject({
      version: '2.15.1',
      argv: [join(installed, 'bin', 'nats-server')],
    });
    const file = onThePath('nats-server', 'nats-server: v2.12.3');
    expect(find('nats')).toMatchObject({ version: '2.12.3', argv: [file] });
  });

  it('looks for the cache folder where XDG_CACHE_HOME says', () => {
    inTheCache('nats-server-2.15.1', 'bin/nats-server');
    const elsewhere = { ...machine(), XDG_CACHE_HOME: join(home, 'elsewhere') };
    expect(findProgram('nats', { machine: elsewhere, install: false })).toHaveProperty('why');
    const here = { ...machine(), HOME: '/nowhere', XDG_CACHE_HOME: join(home, '.cache') };
    expect(findProgram('nats', { machine: here, install: false })).toMatchObject({ version: '2.15.1' });
  });

  it('takes the store that was built from source before the one out of wheels', () => {
    const python = executable(join(home, 'python3'), '#!/bin/sh\n');
    const wheels = inTheCache('secantusd-py-0.7.0b3', 'secantus/__main__.py', python);
    expect(find('mongodb')).toMatchObject({
      name: 'secantusd-py',
      argv: [python, '-m', 'secantus'],
      env: { PYTHONPATH: wheels },
    });
    const built = inTheCache('secantusd-rs-0.5.3-beta.196', 'bin/secantusd-rs');
    expect(find('mongodb')).toMatchObject({
      name: 'secantusd-rs',
      argv: [join(built, 'bin', 'secantusd-rs')],
    });
  });

  it('does not take what was installed for a Python that is gone', () => {
    inTheCache('secantusd-py-0.7.0b3', 'secantus/__main__.py', join(home, 'python3'));
    expect(find('mongodb')).toMatchObject({ why: expect.stringContaining('not installed for this user') });
  });

  it('says why there is none, also why it can not be installed, and how to get it', () => {
    expect(find('redis', true)).toEqual({
      why: expect.stringMatching(
        /no valkey-server on the PATH; no redis-server on the PATH; .*not installed.*; there is no python3/,
      ),
      remedy: expect.stringContaining('apt-get install redis-server'),
    });
  });
});
