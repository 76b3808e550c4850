import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range that systems take the ports of outgoing connections from: nobody gets it while an engine restarts. */
const LOWEST = 15_000;
const HIGHEST = 32_000;
const TRIES = 50;

/** A port of 127.0.0.1 that nobody listens on: the preferred one when it is free. */
export async function freePort(preferred?: number): Promise<number> {
  const random = Array.from({ length: TRIES }, () => randomInt(LOWEST, HIGHEST));
  for (const port of preferred === undefined ? random : [preferred, ...random]) {
    if (await isFree(port)) return port;
  }
  throw new Error(`found no free port between ${LOWEST} and ${HIGHEST}`);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
