import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Runs a real process: Node reads this TypeScript file as it is. */
async function crash(how: string): Promise<{ code: number; lines: Record<string, unknown>[] }> {
  const script = `
    import { pino } from 'pino';
    import { exitOnCrash } from ${JSON.stringify(pathToFileURL(join(__dirname, 'exit-on-crash.ts')).href)};
    exitOnCrash(pino({ formatters: { level: (level) => ({ level }) } }, pino.destination({ fd: 1, sync: true })));
    setInterval(() => {}, 1000);
    ${how}
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: __dirname,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number];
  const lines = output.split('\n').filter((line) => line !== '');
  return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it.each([
  ['an uncaught exception', `setTimeout(() => { throw new Error('lost'); });`, 'uncaughtException', 'lost'],
  ['an unhandled rejection', `Promise.reject(new Error('lost'));`, 'unhandledRejection', 'lost'],
  ['a thrown value that is no error', `Promise.reject({ token: 'x' });`, 'unhandledRejection', 'object'],
  [
    'an emitted error that nobody hears',
    `process.stdin.emit('error', new Error('lost'));`,
    'uncaughtException',
    'lost',
  ],
])('%s is logged fatally and ends the process with code 1', async (_, how, origin, message) => {
  const { code, lines } = await crash(how);
  expect(code).toBe(1);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 'fatal',
    origin,
    err: { message: expect.stringContaining(message) },
  });
});

it('ends the process also when the error cannot even be logged', async () => {
  const { code } = await crash(
    `const error = new Error('x'); Object.defineProperty(error, 'stack', { get() { throw new Error('no'); } }); Promise.reject(error);`,
  );
  expect(code).toBe(1);
});
