import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepted, Starling, unique, useStarling } from '@starling/testing';

describe('a started server', () => {
  const starling = useStarling({ env: { WS_PATH: '/im' } });

  it('says where to connect', () => {
    const where = starling.logs.find(({ msg }) => msg === 'ready')!;
    expect(where['port']).toBe(starling.port);
    expect(JSON.stringify(where)).toContain('/im');
  });

  it('serves byte frames on WS_PATH and nowhere else', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    accepted(await ann.sendTo(ann.userId, 'hello'));
    const elsewhere = `${starling.bytesUrl.replace('/im', '')}/ws`;
    const response = await fetch(elsewhere.replace('ws:', 'http:'));
    expect(response.status).toBe(404);
  });

  it.each(['/healthz', '/readyz'])('answers %s', async (path) => {
    expect((await fetch(`${starling.url}${path}`)).status).toBe(200);
  });

  it('counts connections, packets, answers and deliveries on /metrics', async () => {
    const [ann, ben] = [await starling.login(unique('ann')), await starling.loginBytes(unique('ben'))];
    const before = await starling.metric('starling_packets_total', { command: 'SendMessage', result: 'ok' });
    accepted(await ann.sendTo(ben.userId, 'counted'));
    await ben.waitForMessage('counted');
    expect(await starling.metric('starling_packets_total', { command: 'SendMessage', result: 'ok' })).toBe(
      before + 1,
    );
    expect(await starling.metric('starling_connections')).toBe(2);
    expect(await starling.metric('starling_ack_seconds_count')).toBeGreaterThan(0);
    expect(await starling.metric('starling_submits_unanswered')).toBe(0);
    const response = await fetch(`${starling.url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
  });

  it('tells nothing about itself to a request for something else', async () => {
    for (const path of ['/', '/nowhere', '/../package.json', '/im', '/healthz/x', '/%ff']) {
      const response = await fetch(`${starling.url}${path}`);
      expect(response.status).toBeGreaterThanOrEqual(400);
      const text = await response.text();
      expect(text).not.toMatch(/\n\s+at |node_modules|\.[jt]s:\d+/);
      expect(response.headers.get('x-powered-by')).toBeNull();
    }
  });

  it('refuses a second process on the same data, naming DATA_DIR, and goes on', async () => {
    const second = starling.spawn();
    const exit = await second.exited;
    expect(exit.code).toBeGreaterThan(0);
    expect(second.lines.join('\n')).toContain('DATA_DIR');
    expect(second.lines.join('\n')).not.toMatch(/\n\s+at /);
    await starling.expectWell();
  });

  it('refuses a port that is taken, naming PORT', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'starling-test-'));
    const second = starling.spawn({ PORT: String(starling.port), DATA_DIR: dataDir });
    const exit = await second.exited;
    rmSync(dataDir, { recursive: true, force: true });
    expect(exit.code).toBeGreaterThan(0);
    expect(second.lines.join('\n')).toContain('PORT');
  });
});

describe('a bad configuration', () => {
  const starling = new Starling();
  afterAll(() => starling.dispose());

  it.each([
    ['PORT', 'many'],
    ['PORT', '70000'],
    ['AUTH_MODE', 'none'],
    ['JWT_SECRET', 'too short'],
    ['TRUSTED_PROXIES', '10.0.0.0/99'],
    ['CIPHER_KEYS', 'k1:short'],
    ['MAX_PACKET_BYTES', '-1'],
    ['ALLOWED_ORIGINS', 'not an origin'],
    ['WS_PATH', 'no slash'],
    ['GROUPS_AUTO_CREATE', 'perhaps'],
  ])('is refused by the name of its variable: %s=%s', async (name, value) => {
    const process = starling.spawn({
      ...(name.startsWith('JWT') ? { AUTH_MODE: 'jwt' } : {}),
      [name]: value,
    });
    const exit = await process.exited;
    expect(exit.code).toBeGreaterThan(0);
    const output = process.lines.join('\n');
    expect(output).toContain(name);
    expect(output).not.toMatch(/\n\s+at /);
    if (name === 'JWT_SECRET') expect(output).not.toContain(value);
  });

  it('jwt without any key is refused', async () => {
    const process = starling.spawn({ AUTH_MODE: 'jwt' });
    expect((await process.exited).code).toBeGreaterThan(0);
    expect(process.lines.join('\n')).toContain('JWT_');
  });

  it('is refused with every problem at once', async () => {
    const process = starling.spawn({ PORT: 'many', AUTH_MODE: 'none' });
    await process.exited;
    expect(process.lines.join('\n')).toContain('PORT');
    expect(process.lines.join('\n')).toContain('AUTH_MODE');
  });

  it('another number of partitions than the data has is refused', async () => {
    await starling.start({ PARTITIONS: '4' });
    await starling.stop();
    const process = starling.spawn({ PARTITIONS: '5' });
    expect((await process.exited).code).toBeGreaterThan(0);
    expect(process.lines.join('\n')).toContain('PARTITIONS');
  });
});
