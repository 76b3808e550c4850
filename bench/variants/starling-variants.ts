import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Starling, startMongo, startNats, startRedis } from '@starling/testing';
import { PLAIN_ENV, startServer } from './started-server.js';
import type { StartOptions, Variant } from './variant.js';

/** One machine stands for thousands of clients, and a few of those for whole groups of senders. */
const ENV = {
  HOST: '127.0.0.1',
  LOG_FORMAT: 'json',
  MAX_CONNECTIONS_PER_ADDRESS: '100000',
  PACKETS_PER_SECOND: '1000000',
  PACKETS_BURST: '1000000',
  MAX_UNANSWERED: '100000',
  LOGIN_TIMEOUT_MS: '60000',
  SILENCE_TIMEOUT_MS: '3600000',
};

export const starlingEmbedded: Variant = embeddedOf('d', 'Starling, embedded', '.');

/** The embedded profile of another checkout of this project, which has been built. */
export function starlingOf(checkout: string): Variant {
  return embeddedOf('d0', `Starling, embedded, of ${checkout}`, checkout);
}

function embeddedOf(letter: string, name: string, checkout: string): Variant {
  return {
    letter,
    name,
    async start(options) {
      const dataDir = mkdtempSync(join(tmpdir(), 'starling-bench-'));
      const env = { ...PLAIN_ENV, ...ENV, ...profiled(options), PORT: '0', DATA_DIR: dataDir };
      const args = ['--enable-source-maps', 'dist/apps/standalone/src/main.js'];
      const server = await startServer('standalone', args, env, resolve(checkout));
      return {
        targets: [server.target],
        processes: [server.counted],
        stop: async () => {
          await server.stop();
          rmSync(dataDir, { recursive: true, force: true });
        },
      };
    },
  };
}

export const starlingCluster: Variant = {
  letter: 'e',
  name: 'Starling, cluster, 2 gateways',
  async start(options) {
    const [nats, redis, mongodb] = await Promise.all([startNats(), startRedis(), startMongo()]);
    const engines = { nats, redis, mongodb };
    const starling = new Starling({
      profile: 'cluster',
      env: { ...ENV, ...profiled(options) },
      cluster: { gateways: 2, stores: 1, engines },
    });
    await starling.start();
    const services = starling.cluster.services.map(({ app, process }) => ({
      role: app,
      pid: process.pid,
      endsSockets: app === 'gateway',
    }));
    const enginesCounted = Object.entries(engines).map(([role, { pid }]) => ({
      role,
      pid,
      endsSockets: false,
    }));
    return {
      targets: starling.gateways.map(({ host, port }) => ({ host, port })),
      processes: [...services, ...enginesCounted],
      stop: async () => {
        await starling.dispose();
        await Promise.all(Object.values(engines).map((engine) => engine.stop()));
      },
    };
  },
};

function profiled({ profiles }: StartOptions): Record<string, string> {
  return profiles === null ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` };
}
