import type { Logger } from 'pino';
import { createClient } from 'redis';

export interface RedisOptions {
  /** redis:// or rediss://, with user, password and database where they are needed. */
  readonly url: string;
  /** What the connection is for: in logs, and in Redis's own list of clients. */
  readonly purpose: string;
  /**
   * What becomes of commands while Redis is away: they wait until it is back, for `timeoutMs` at most, or they are
   * rejected at once. Those that were under way when it went are rejected in both cases.
   */
  readonly whileAway: 'wait' | 'reject';
  /** For commands that are not yet on their way; 0: no limit. */
  readonly timeoutMs: number;
  /** Commands that may be unanswered; beyond it they are rejected. Subscriptions do not count. */
  readonly maxUnanswered?: number;
}

export type RedisClient = ReturnType<typeof createRedisClient>;

/**
 * A connection that is begun now and made again whenever it is lost, until `destroy`. Who needs to know asks `isReady`
 * or listens to `ready`, which comes after each connecting, when subscriptions are confirmed again.
 */
export function connectRedis(options: RedisOptions, logger: Logger): RedisClient {
  const client = createRedisClient(options);
  logOutages(client, logger.child({ engine: 'redis', purpose: options.purpose }));
  // Rejects only when it is destroyed before it was ever connected.
  client.connect().catch(() => undefined);
  return client;
}

/** A server that has not answered for so long is given up, and connected again: it may be gone without a farewell. */
const SILENCE_MS = 6_000;
const PING_EVERY_MS = 2_000;

/**
 * While it connects, the client sends all its subscriptions and does not go on writing once this is full: with Node's
 * default it is never ready again from some 1,300 of them on. Its types do not know that sockets have this option.
 */
const STREAM = { writableHighWaterMark: 32 << 20 };

function createRedisClient({ url, purpose, whileAway, timeoutMs, maxUnanswered }: RedisOptions) {
  return createClient({
    url,
    name: `starling-${purpose}`,
    RESP: 3,
    maintNotifications: 'disabled',
    disableOfflineQueue: whileAway === 'reject',
    commandsQueueMaxLength: maxUnanswered,
    commandOptions: { timeout: timeoutMs },
    pingInterval: PING_EVERY_MS,
    socket: {
      ...STREAM,
      connectTimeout: 2_000,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries: number) => Math.min(50 + retries * 50, 500),
    },
  });
}

/** One line when Redis goes and one when it is back, however often connecting fails in between. */
function logOutages(client: RedisClient, logger: Logger): void {
  let away = false;
  client.on('error', (error: NodeJS.ErrnoException) => {
    // Its stack says nothing, and one of several addresses has only a code.
    const reason = error.message || error.code;
    if (!away) logger.warn({ reason }, 'Redis is away; connecting until it is back');
    away = true;
  });
  client.on('ready', () => {
    if (away) logger.info('Redis is back');
    away = false;
  });
}
