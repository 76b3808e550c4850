import { spawn } from 'node:child_process';

/**
 * Ends `pid` when this process is gone, however it went. A shell waits for the end of its standard input, which
 * comes then. Returns what ends the guard before it acts: call it when `pid` has ended, so that it can't end
 * another process that was given the same pid.
 */
export function guard(pid: number): () => void {
  const shell = spawn('/bin/sh', ['-c', 'cat >/dev/null; kill -9 "$1" 2>/dev/null', 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return () => {
    if (shell.pid === undefined || shell.exitCode !== null) return;
    try {
      process.kill(-shell.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  };
}
