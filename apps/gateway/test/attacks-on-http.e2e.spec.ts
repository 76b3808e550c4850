import { once } from 'node:events';
import { until } from '@starling/testing';
import { MB, useAttackedStarling } from './attacked-starling.js';
import { PATHS, RawSocket, request, UPGRADE, upgraded, wsFrame } from './raw-socket.js';

/** Each known attack against servers of this kind before there is a WebSocket, by raw sockets. */
const { starling, itLeavesNothingBehind } = useAttackedStarling({ gatewaysOnly: true });

/** A Socket.IO session by polling: its path, after the handshake and the CONNECT packet. */
async function pollingSession(): Promise<string> {
  const handshake = await fetch(`${starling.url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await handshake.text()).slice(1));
  const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
  await post(path, '40');
  return path;
}

async function post(path: string, body: string): Promise<number> {
  const response = await fetch(`${starling.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
  });
  expect(await response.text()).not.toMatch(/\n\s+at |node_modules/);
  return response.status;
}

describe('CVE-2020-36048 and 36049: oversized bodies of polling', () => {
  it('a POST of 100 MB is cut off', async () => {
    const path = await pollingSession();
    const memory = await starling.residentBytes();
    const raw = await RawSocket.open(starling);
    const size = 100 * MB;
    raw.write(request(path, `Content-Type: text/plain\r\nContent-Length: ${size}\r\n`, 'POST'));
    const piece = Buffer.alloc(MB, 'x');
    for (let sent = 0; sent < size && !raw.ended; sent += MB) {
      if (!raw.socket.write(piece) && !raw.ended)
        await Promise.race([once(raw.socket, 'drain'), once(raw.socket, 'close')]);
      if (raw.received !== '') break;
    }
    await raw.answered();
    raw.socket.destroy();
    expect((await starling.residentBytes()) - memory).toBeLessThan(60 * MB);
  });

  it('a chunked POST without a length is cut off', async () => {
    const path = await pollingSession();
    const raw = await RawSocket.open(starling);
    raw.write(request(path, 'Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n', 'POST'));
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    for (let i = 0; i < 200 && !raw.ended && raw.received === ''; i++) {
      if (!raw.socket.write(chunk) && !raw.ended)
        await Promise.race([once(raw.socket, 'drain'), once(raw.socket, 'close')]);
    }
    await raw.answered();
    raw.socket.destroy();
  });

  it('a multi-part payload of thousands of packets is answered or refused', async () => {
    const path = await pollingSession();
    await post(path, Array.from({ length: 20_000 }, () => '4').join('\x1e'));
  });
});

it.each(PATHS)('CVE-2021-32640: a long Sec-WebSocket-Protocol of spaces on %s', async (path) => {
  const begun = Date.now();
  for (const value of [' '.repeat(12_000), `a${' '.repeat(6000)}b`, `a,${' '.repeat(6000)},b`]) {
    const raw = await RawSocket.open(starling);
    raw.write(request(path, `${UPGRADE}Sec-WebSocket-Protocol: ${value}\r\n`));
    await raw.answered();
    raw.socket.destroy();
  }
  expect(Date.now() - begun).toBeLessThan(5000);
});

it.each([...PATHS, '/nowhere', '/socket.io/?EIO=99', '/socket.io/?EIO=4&transport=websocket&sid=none'])(
  'CVE-2022-41940: a bad upgrade of %s, then a reset',
  async (path) => {
    for (const headers of [
      UPGRADE,
      UPGRADE.replace('13', '99'),
      UPGRADE.replace('AAAA', '!!'),
      'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    ]) {
      for (let i = 0; i < 5; i++) {
        const raw = await RawSocket.open(starling);
        raw.write(request(path, headers));
        raw.socket.resetAndDestroy();
      }
    }
  },
);

it.each([
  'transport=__proto__',
  'transport=constructor',
  'transport=toString',
  'EIO=4&transport=polling&sid=__proto__',
  'EIO=4&transport=websocket&sid=constructor',
  'EIO=__proto__&transport=polling',
  'EIO=4&transport[]=polling',
  'EIO=4&transport[$gt]=',
  'EIO=4&transport=polling&sid[$gt]=',
  'EIO=4&transport=polling&sid=%00',
])('CVE-2023-31125: a handshake with the query %s', async (query) => {
  for (const headers of ['', UPGRADE]) {
    const raw = await RawSocket.open(starling);
    raw.write(request(`/socket.io/?${query}`, headers));
    expect(await raw.answered()).toMatch(/^HTTP\/1\.1 [1234]\d\d|^$/);
    expect(raw.received).not.toMatch(/node_modules|\.[jt]s:\d+/);
    raw.socket.destroy();
  }
});

it.each(PATHS)('CVE-2024-37890: more headers than the maximum on an upgrade of %s', async (path) => {
  const raw = await RawSocket.open(starling);
  const many = Array.from({ length: 3000 }, (_, i) => `x${i}:1\r\n`).join('');
  raw.write(request(path, many + UPGRADE));
  await raw.answered();
  raw.socket.destroy();
});

describe('half-open connections', () => {
  it('half a request, half an upgrade and half a frame are closed in the end or cost nothing', async () => {
    const halves = await Promise.all([RawSocket.open(starling), RawSocket.open(starling)]);
    halves[0].write('GET /ws HT');
    halves[1].write(request('/ws', UPGRADE).slice(0, -2));
    const silent = await Promise.all(PATHS.map((path) => upgraded(starling, path)));
    silent[0]!.write(wsFrame(0x82, Buffer.alloc(5), 1000));
    await Promise.all(silent.map((raw) => raw.end()));
    for (const raw of halves) raw.socket.destroy();
  });

  it('a login that is never sent ends the connection on every endpoint', async () => {
    const path = await pollingSession();
    await until('the polling session to end', async () => {
      const response = await fetch(`${starling.url}${path}`);
      return response.status === 400 || (await response.text()).includes('41');
    });
  });
});

it('a flood of connections of one address', async () => {
  const raws: RawSocket[] = [];
  for (let i = 0; i < 400; i++) {
    const raw = await RawSocket.open(starling);
    raw.write(request('/ws', UPGRADE));
    raws.push(raw);
  }
  await Promise.all(raws.map((raw) => raw.answered()));
  const admitted = raws.filter((raw) => raw.received.startsWith('HTTP/1.1 101') && !raw.ended);
  for (const raw of raws) raw.socket.destroy();
  expect(admitted.length).toBeLessThanOrEqual(300);
  expect(admitted.length).toBeGreaterThan(250);
  await until(
    'the connections to be gone',
    async () => (await starling.metric('starling_connections')) === 0,
  );
});

itLeavesNothingBehind();
