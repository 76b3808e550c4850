import { startRedis } from '@starling/testing';
import { startPlainServer } from './started-server.js';
import type { Variant } from './variant.js';

export const bareWs: Variant = {
  letter: 'a',
  name: 'bare ws loop',
  start: () => onOneServer('bare-ws.ts'),
};

export const socketIo: Variant = {
  letter: 'b',
  name: 'Socket.IO',
  start: () => onOneServer('socket-io.ts'),
};

export const socketIoOnRedis: Variant = {
  letter: 'c',
  name: 'Socket.IO, Redis adapter, 2 pods',
  async start() {
    const redis = await startRedis({ config: { appendonly: 'no' } });
    const pods = await Promise.all(
      [1, 2].map(() => startPlainServer('socket-io.ts', { REDIS_URL: redis.url })),
    );
    return {
      targets: pods.map(({ target }) => target),
      processes: [
        ...pods.map(({ counted }) => counted),
        { role: 'redis', pid: redis.pid, endsSockets: false },
      ],
      stop: async () => {
        await Promise.all(pods.map((pod) => pod.stop()));
        await redis.stop();
      },
    };
  },
};

async function onOneServer(file: string) {
  const server = await startPlainServer(file);
  return { targets: [server.target], processes: [server.counted], stop: () => server.stop() };
}
