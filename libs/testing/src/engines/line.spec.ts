import { connect, createServer, type Server, type Socket } from 'node:net';
import { until } from '../process/until.js';
import { Line } from './line.js';

/** An engine that says back what it is told. */
let engine: Server;
let line: Line;
const sockets: Socket[] = [];

beforeEach(async () => {
  engine = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => engine.listen({ host: '127.0.0.1', port: 0 }, resolve));
  line = await Line.to(`echo://127.0.0.1:${(engine.address() as { port: number }).port}`);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await line.close();
  await new Promise((resolve) => engine.close(resolve));
});

function client(): { heard: () => string; ended: () => boolean; say: (text: string) => void } {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(line.url).port) });
  sockets.push(socket);
  let heard = '';
  socket.on('data', (bytes) => (heard += bytes.toString()));
  socket.on('error', () => undefined);
  return {
    heard: () => heard,
    ended: () => socket.destroyed,
    say: (text) => void socket.write(text),
  };
}

it('passes everything on, and ends all when it is cut, serving who comes back', async () => {
  const [one, two] = [client(), client()];
  one.say('one');
  two.say('two');
  await until('echoes', () => one.heard() === 'one' && two.heard() === 'two');
  expect(line.count).toBe(2);
  line.cut();
  await until('the end', () => one.ended() && two.ended() && line.count === 0);
  const back = client();
  back.say('back');
  await until('an echo', () => back.heard() === 'back');
});

it('ends new connections while it refuses, and only those', async () => {
  const before = client();
  before.say('1');
  await until('an echo', () => before.heard() === '1');
  line.refuse();
  const refused = client();
  await until('the end', () => refused.ended());
  before.say('2');
  await until('an echo', () => before.heard() === '12');
  line.accept();
  const served = client();
  served.say('served');
  await until('an echo', () => served.heard() === 'served');
});

it.each(['to the engine', 'from the engine'] as const)(
  'keeps what goes %s, of old and new connections, until it resumes',
  async (direction) => {
    const old = client();
    old.say('1');
    await until('an echo', () => old.heard() === '1');
    line.silence(direction);
    const young = client();
    old.say('2');
    young.say('3');
    await until('the new connection', () => line.count === 2);
    // The echo of a third, past the line, comes later than theirs would.
    const direct = connect({ host: '127.0.0.1', port: (engine.address() as { port: number }).port });
    sockets.push(direct);
    for (let i = 0; i < 20; i++) {
      direct.write('x');
      await new Promise((resolve) => direct.once('data', resolve));
    }
    expect([old.heard(), young.heard()]).toEqual(['1', '']);
    expect(old.ended() || young.ended()).toBe(false);
    line.resume();
    await until('the echoes', () => old.heard() === '12' && young.heard() === '3');
  },
);
