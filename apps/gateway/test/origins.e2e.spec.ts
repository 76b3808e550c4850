import { type ConnectOptions, unique, useStarling } from '@starling/testing';

const WAYS: Record<string, ConnectOptions> = {
  'the byte endpoint': { form: 'bytes' },
  'Socket.IO by websocket': { form: 'object', transport: 'websocket' },
  'Socket.IO by polling': { form: 'object', transport: 'polling' },
};

describe.each(Object.keys(WAYS))('on %s', (way) => {
  describe('by default', () => {
    const starling = useStarling();

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
      await expect(
        starling.connect(unique('eve'), { ...WAYS[way], headers: { Origin: origin } }),
      ).rejects.toThrow();
    });

    it('a client that is no browser sends no origin and may connect', async () => {
      const ann = await starling.connect(unique('ann'), WAYS[way]);
      expect(await ann.heartbeat()).toMatchObject({ command: 18 });
    });
  });

  describe('with a list', () => {
    const starling = useStarling({
      env: { ALLOWED_ORIGINS: 'https://app.example.com,https://*.example.org' },
    });

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
      await expect(
        starling.connect(unique('eve'), { ...WAYS[way], headers: { Origin: origin } }),
      ).rejects.toThrow();
    });
  });
});
