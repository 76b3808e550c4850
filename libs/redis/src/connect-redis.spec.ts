import { describeWithOwnEngines, type Engine, startRedis, until } from '@starling/testing';
import { pino } from 'pino';
import { connectRedis, type RedisClient, type RedisOptions } from './connect-redis.js';

interface Line {
  readonly msg: string;
  readonly purpose?: string;
  readonly reason?: string;
}

describeWithOwnEngines(['redis'], 'a connection to Redis', () => {
  let redis: Engine;
  let lines: Line[];
  let texts: string[];
  let client: RedisClient;

  beforeAll(async () => {
    redis = await startRedis();
  }, 90_000);
  afterAll(() => redis.stop());
  afterEach(() => client.destroy());

  function connect(options: Partial<RedisOptions> = {}): void {
    texts = [];
    lines = [];
    const logger = pino(
      {},
      {
        write(text: string) {
          texts.push(text);
          lines.push(JSON.parse(text) as Line);
        },
      },
    );
    client = connectRedis(
      { url: redis.url, purpose: 'test', whileAway: 'wait', timeoutMs: 500, ...options },
      logger,
    );
  }

  const connected = () => until('the connection', () => client.isReady);

  it('says once that Redis went and once that it is back, however long it took', async () => {
    connect();
    await connected();
    expect(lines).toEqual([]);
    let attempts = 0;
    client.on('reconnecting', () => (attempts += 1));
    await redis.kill9();
    await until('several attempts', () => attempts > 3);
    await redis.restart();
    await connected();
    expect(lines.map(({ msg }) => msg)).toEqual([
      'Redis is away; connecting until it is back',
      'Redis is back',
    ]);
    expect(lines[0]).toMatchObject({ purpose: 'test', reason: expect.stringMatching(/./) });
  });

  it('is begun while nobody listens, and is there when somebody does', async () => {
    await redis.kill9();
    connect();
    await until('the line', () => lines.length > 0);
    await redis.restart();
    await connected();
    expect(await client.ping()).toBe('PONG');
  });

  it('shows no password when it is refused', async () => {
    const url = new URL(redis.url);
    url.username = 'im';
    url.password = 'hunter2hunter2';
    connect({ url: url.href });
    await until('the line', () => lines.length > 0);
    expect(lines[0]!.reason).toContain('WRONGPASS');
    expect(texts.join('')).not.toContain('hunter2');
  });

  it('lets commands wait while Redis is away, for their time, or rejects them at once', async () => {
    for (const whileAway of ['wait', 'reject'] as const) {
      connect({ whileAway });
      await connected();
      await redis.kill9();
      await until('the cut', () => !client.isReady);
      const begun = performance.now();
      await expect(client.get('key')).rejects.toThrow();
      expect(performance.now() - begun > 400).toBe(whileAway === 'wait');
      await redis.restart();
      await connected();
      expect(await client.get('key')).toBeNull();
      client.destroy();
    }
  });

  it('ends, also before it was ever connected', async () => {
    connect({ url: 'redis://127.0.0.1:1' });
    await until('the line', () => lines.length > 0);
    client.destroy();
    expect(client.isOpen).toBe(false);
  });
});
