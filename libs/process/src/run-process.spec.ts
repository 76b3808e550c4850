import { resolve } from 'node:path';
import { StartedProcess } from '@starling/testing';

/** A process that is sent the signal by itself, so that nothing else happens between that and what follows. */
function processThat(starts: string): StartedProcess {
  const script = `
    import { runProcess } from '@starling/process';
    const running = { facts: {}, stop: async () => undefined };
    setInterval(() => undefined, 1000);
    await runProcess(async () => { ${starts} });
  `;
  const typescript = resolve('deploy/typescript.mjs');
  return new StartedProcess('process', ['--import', typescript, '--input-type=module', '--eval', script], {
    LOG_FORMAT: 'json',
  });
}

it.each([
  [
    'in the moment in which it becomes ready',
    "process.kill(process.pid, 'SIGTERM'); return running;",
    ['ready', 'stopping', 'stopped'],
  ],
  [
    'twice while it runs',
    "setTimeout(() => { process.kill(process.pid, 'SIGTERM'); process.kill(process.pid, 'SIGINT'); }); return running;",
    ['ready', 'stopping', 'stopped'],
  ],
  [
    'before it is ready',
    "process.kill(process.pid, 'SIGTERM'); await new Promise(() => undefined);",
    ['stopped before it was ready'],
  ],
])('stops in order when it is told to %s', async (_, starts, said) => {
  const process = processThat(starts);
  try {
    await process.waitForLog('that it stopped', ({ msg = '' }) => msg.startsWith('stopped'));
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(process.logs.map(({ msg }) => msg)).toEqual(said);
  } finally {
    await process.end('SIGKILL');
  }
});
