import { type ConnectOptions, type Starling, unique, useStarling } from '@starling/testing';

const WAYS: Record<string, ConnectOptions> = {
  'the byte endpoint': { form: 'bytes' },
  'Socket.IO by websocket': { form: 'object', transport: 'websocket' },
  'Socket.IO by polling': { form: 'object', transport: 'polling' },
};

describe('by default', () => {
  const starling = useStarling({ cluster: { gatewaysOnly: true } });

  describe.each(Object.keys(WAYS))('on %s', (way) => {
    it.each(['http://localhost:8080', 'http://127.0.0.1', 'https://[::1]:3000'])(
      'a page of %s may connect',
      async (origin) => {
        const ann = await starling.connect(unique('ann'), { ...WAYS[way], headers: { Origin: origin } });
        expect(await ann.heartbeat()).toMatchObject({ command: 18 });
      },
    );

    it.each([
      'https://evil.test',
      'http://localhost.evil.test',
      'http://evil.test:127.0.0.1',
      'null',
      'file://',
      'http://127.0.0.1.evil.test',
    ])('a page of %s may not', async (origin) => {
      await expectRefused(starling, way, origin);
    });

    it('a client that is no browser sends no origin and may connect', async () => {
      const ann = await starling.connect(unique('ann'), WAYS[way]);
      expect(await ann.heartbeat()).toMatchObject({ command: 18 });
    });
  });
});

describe('with a list', () => {
  const starling = useStarling({
    env: { ALLOWED_ORIGINS: 'https://app.example.com,https://*.example.org' },
    cluster: { gatewaysOnly: true },
  });

  describe.each(Object.keys(WAYS))('on %s', (way) => {
    it.each(['https://app.example.com', 'https://a.example.org', 'https://a.b.example.org'])(
      'a page of %s may connect',
      async (origin) => {
        const ann = await starling.connect(unique('ann'), { ...WAYS[way], headers: { Origin: origin } });
        expect(await ann.heartbeat()).toMatchObject({ command: 18 });
      },
    );

    it.each([
      'http://app.example.com',
      'https://app.example.com:8443',
      'https://app.example.com.evil.test',
      'https://evilexample.org',
      'https://example.org',
      'http://localhost',
    ])('a page of %s may not', async (origin) => {
      await expectRefused(starling, way, origin);
    });
  });
});

/** By the handshake's HTTP status, so no page learns anything, and not for some other reason. */
async function expectRefused(starling: Starling, way: string, origin: string): Promise<void> {
  const refused = () =>
    starling.metric('starling_handshakes_refused_total', { reason: 'origin not allowed' });
  const before = await refused();
  await expect(
    starling.connect(unique('eve'), { ...WAYS[way], headers: { Origin: origin } }),
  ).rejects.toThrow();
  expect(await refused()).toBe(before + 1);
}
