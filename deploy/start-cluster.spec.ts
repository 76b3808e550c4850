import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ByteClient,
  type ChatClient,
  describeWithOwnEngines,
  freePort,
  isAlive,
  isFree,
  PacketClient,
  StartedProcess,
  unique,
  until,
} from '@starling/testing';

const ENGINES = ['nats', 'redis', 'mongodb'] as const;
const SERVICES = [
  ...['gateway-1', 'gateway-2', 'message-store-1', 'message-store-2'],
  ...['groups-1', 'presence-1'],
];
/** Eight processes and three engines share the machine with the test. */
const PATIENCE_MS = 60_000;

describeWithOwnEngines(ENGINES, 'npm run start:cluster', () => {
  let folder: string;
  let port: number;
  let command: StartedProcess;
  let ann: ChatClient;
  let ben: ChatClient;
  const group = unique('group');
  let lastSeq = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-start-cluster-'));
    port = await firstOfTwoFreePorts();
    const script = ['--import', './deploy/typescript.mjs', 'deploy/start-cluster.ts'];
    const { PATH = '', HOME = '', XDG_CACHE_HOME = '' } = process.env;
    const env = { PATH, HOME, XDG_CACHE_HOME, PORT: String(port) };
    command = new StartedProcess('start:cluster', [...script, '--data-dir', folder], env);
    await Promise.all(SERVICES.map((name) => saidBy(name, /INFO: ready /)));
    ann = await PacketClient.connect(`http://127.0.0.1:${port}`, 'ann');
    ben = await ByteClient.connect(`ws://127.0.0.1:${port + 1}/ws`, 'ben');
    for (const client of [ann, ben]) {
      expect(await client.login()).toMatchObject({ success: true });
      expect(await client.join(group)).toMatchObject({ success: true });
    }
  }, 90_000);

  afterAll(async () => {
    await Promise.all([ann, ben].map((client) => client?.close()));
    // What it started ends with it.
    await command?.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** What stands behind its name, line by line. */
  function linesOf(name: string): string[] {
    return command.lines
      .filter((line) => line.startsWith(`${name} `) && line.includes(' | '))
      .map((line) => line.slice(line.indexOf(' | ') + 3));
  }

  /** The line that matches, of those that come after the first `known`. */
  async function saidBy(name: string, pattern: RegExp, known = 0): Promise<RegExpExecArray> {
    const match = () =>
      linesOf(name)
        .slice(known)
        .map((line) => pattern.exec(line))
        .find((found) => found !== null);
    const said = await until(`${name} to say ${pattern}`, () => command.exit ?? match(), PATIENCE_MS).catch(
      (error: Error) => {
        throw command.error(error.message);
      },
    );
    if (!Array.isArray(said)) throw command.error(`ended before ${name} said ${pattern}`);
    return said;
  }

  /** That of its process which runs now. */
  function pidOf(name: string): number {
    return Number(/\(pid (\d+)\)/.exec(linesOf(name).findLast((line) => line.includes('(pid '))!)![1]);
  }

  /** The sender sends again, with the same id, what it is not certain of, as clients do. */
  async function expectTalk(): Promise<void> {
    for (const [sender, receiver] of [
      [ann, ben],
      [ben, ann],
    ] as const) {
      const content = unique('message');
      const message = sender.message(group, 1, content);
      const answer = await until(
        'the message to be stored',
        async () => {
          const said = await sender.request(message, PATIENCE_MS);
          return said['success'] === true && said;
        },
        PATIENCE_MS,
      );
      lastSeq += 1;
      expect(answer).toMatchObject({ seq: lastSeq });
      expect(await receiver.waitForMessage(content)).toMatchObject({ seq: lastSeq });
    }
  }

  /** Resolves with the pid of its next life. */
  async function killed(name: string, isBack: RegExp): Promise<number> {
    const [known, pid] = [linesOf(name).length, pidOf(name)];
    process.kill(pid, 'SIGKILL');
    await saidBy(
      name,
      new RegExp(`^\\*\\*\\* ${name} ended by itself \\(SIGKILL\\); again in 500 ms$`),
      known,
    );
    await saidBy(name, isBack, known);
    expect(pidOf(name)).not.toBe(pid);
    return pidOf(name);
  }

  it('puts its gateways on PORT and the next, and messages go from one to the other', async () => {
    for (const [name, at] of [
      ['gateway-1', port],
      ['gateway-2', port + 1],
    ] as const) {
      expect((await saidBy(name, /INFO: ready (.*)/))[1]).toContain(`"port":${at},`);
    }
    await expectTalk();
  });

  it('starts a service again that was killed', async () => {
    await killed('message-store-1', /INFO: ready /);
    await expectTalk();
  }, 60_000);

  it('starts its engines again, where they were and on the same data', async () => {
    const places = ENGINES.map((name) => /^at (\S+) /.exec(linesOf(name)[0]!)![1]!);
    await Promise.all(ENGINES.map((name, i) => killed(name, new RegExp(`^at ${places[i]} \\(pid`))));
    await expectTalk();
  }, 90_000);

  it('stops everything on Ctrl-C, what others need last, and leaves nothing behind', async () => {
    const pids = [...SERVICES, ...ENGINES].map(pidOf);
    expect(pids.map(isAlive)).not.toContain(false);
    expect(await command.end('SIGINT', PATIENCE_MS)).toEqual({ code: 0, signal: null });
    expect(pids.map(isAlive)).not.toContain(true);
    const ends = command.lines.flatMap((line) => /^(\S+)-\d .*INFO: stopped$/.exec(line)?.[1] ?? []);
    expect(ends.slice(0, 4)).toEqual(['gateway', 'gateway', 'message-store', 'message-store']);
    expect(ends.slice(4).sort()).toEqual(['groups', 'presence']);
    expect(await isFree(port)).toBe(true);
  }, 90_000);
});

async function firstOfTwoFreePorts(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (await isFree(port + 1)) return port;
  }
}
