import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import {
  accepted,
  type ByteClient,
  encodeCesu8,
  expectRefusal,
  fence,
  frame,
  type Packet,
  unique,
  until,
  useStarling,
} from '@starling/testing';

/** One test for each fact of the protocol's page about what webim.js sends and expects. */
describe('webim.js', () => {
  const starling = useStarling({ cluster: { gatewaysOnly: true } });

  it('packs one packet in one binary message: a big-endian header of 11 bytes, then JSON', async () => {
    const socket = new WebSocket(starling.bytesUrl);
    socket.binaryType = 'nodebuffer';
    await new Promise((resolve) => socket.once('open', resolve));
    const answered = new Promise<Buffer>((resolve) =>
      socket.once('message', (data) => resolve(data as Buffer)),
    );
    const body = '{"userId":"webim","version":1,"command":1}';
    socket.send(
      Buffer.concat([
        Buffer.from('1234567801010100000000', 'hex').fill(body.length, 10),
        Buffer.from(body, 'latin1'),
      ]),
    );
    const bytes = await answered;
    socket.close();
    expect(bytes.subarray(0, 7).toString('hex')).toBe('12345678010102');
    expect(bytes.readUInt32BE(7)).toBe(bytes.length - 11);
    expect(JSON.parse(bytes.subarray(11).toString('latin1'))).toEqual({
      version: 1,
      command: 2,
      success: true,
      errorMsg: '',
    });
  });

  it('signs the command byte, so -9 is 0xF7 and -10 comes as 0xF6', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    const raw: Buffer[] = [];
    ben.socket.on('message', (data) => raw.push(data as Buffer));
    const body = encodeCesu8(
      JSON.stringify({ version: 1, command: -9, code: 1, eventValue: ben.userId, eventObj: 0 }),
    );
    const header = Buffer.from('123456780101f700000000', 'hex');
    header.writeUInt32BE(body.length, 7);
    ann.transmitBytes(Buffer.concat([header, body]));
    await ben.waitFor('push -10', ({ command }) => command === -10);
    expect(raw.at(-1)![6]).toBe(0xf6);
  });

  it('writes a character beyond U+FFFF as two sequences of three bytes, and reads only that', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    const raw: Buffer[] = [];
    ben.socket.on('message', (data) => raw.push(data as Buffer));
    accepted(await ann.sendTo(ben.userId, '😀'));
    await ben.waitForMessage('😀');
    expect(raw.at(-1)!.includes(Buffer.from('eda0bdedb880', 'hex'))).toBe(true);
    expect(raw.at(-1)!.includes(Buffer.from('😀', 'utf8'))).toBe(false);
  });

  it('begins with a frame of zero version and command and the body {}, which is ignored', async () => {
    const ann = await starling.connectBytes(unique('ann'), { emptyFirstFrame: true });
    // More of them than a connection may send broken frames: it is none.
    for (let i = 0; i < 10; i++) ann.transmitBytes(frame(0, 1, 0, Buffer.from('{}')));
    accepted(await ann.login());
    expect(ann.packets).toHaveLength(1);
    await ann.heartbeat();
    expect(ann.packets).toHaveLength(2);
  });

  it('sends heartbeats with or without its userId and expects 18, also before login', async () => {
    const ann = await starling.connectBytes(unique('ann'));
    expect(await ann.heartbeat()).toEqual({ version: 1, command: 18 });
    accepted(await ann.login());
    expect(await ann.request({ version: 1, command: 17, userId: ann.userId })).toEqual({
      version: 1,
      command: 18,
    });
  });

  it('finds the listener of a packet by the command in its JSON body, so every packet has one', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    const group = unique('group');
    const commands = [
      await ann.join(group),
      await ann.sendToGroup(group, 'x'),
      await ann.heartbeat(),
      await ann.quit(group),
      await ann.logout(),
    ].map(({ command }) => command);
    expect(commands).toEqual([8, 4, 18, 10, 6]);
    for (const packet of ann.packets)
      expect(packet).toMatchObject({ version: 1, command: expect.any(Number) });
  });

  it('shows every command 4 that is not its own and not empty, so refusals come as its own', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    const forged = await ann.sendTo(unique('ben'), 'forged', { fromUserId: unique('victim') });
    expectRefusal(forged, 'NOT_THE_BOUND_USER');
    expectRefusal(await ann.sendToGroup(unique('nowhere'), 'refused'), 'NOT_A_MEMBER');
    expect(ann.shown).toEqual([]);
  });

  it('gets no packet it has no listener for', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    const device = await starling.login(ann.userId, {}, { push: true });
    const ben = await starling.login(unique('ben'));
    const group = unique('group');
    accepted(await device.join(group));
    accepted(await ben.join(group));
    accepted(await ben.sendToGroup(group, 'read me'));
    accepted(await device.read(1, group, 1));
    accepted(await device.quit(group));
    await fence(ben, ann);
    const known = [2, 4, 6, 8, 10, 18, -10];
    expect(ann.packets.filter(({ command }) => !known.includes(command))).toEqual([]);
  });

  it('joins on opening a private chat and sends an empty message only to arm its listener', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    expect(accepted(await ann.join(ben.userId, 0))).toMatchObject({ command: 8 });
    expect(accepted(await ann.sendTo(ben.userId, ''))).toMatchObject({ command: 4, content: '' });
    expect(accepted(await ann.sendTo(ben.userId, 'hello'))).toMatchObject({ seq: 1 });
    await ben.waitForMessage('hello');
    expect(ben.delivered).toHaveLength(1);
  });

  it('joins at every opening of a group chat', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    const group = unique('group');
    accepted(await ben.join(group));
    for (let i = 0; i < 3; i++) {
      accepted(await ann.join(group));
      accepted(await ann.sendToGroup(group, ''));
    }
    accepted(await ben.sendToGroup(group, 'welcome'));
    await ann.waitForMessage('welcome');
    expect(ann.shown).toHaveLength(1);
  });

  it('signals after each send (code 1) and after login (code 6), and refreshes on -10 with code 1', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    ann.signal(6, null, null);
    const group = unique('group');
    accepted(await ann.join(group));
    accepted(await ben.join(group));
    accepted(await ann.sendToGroup(group, 'news'));
    ann.signal(1, group, 1);
    const push = await ben.waitFor('push -10', ({ command }) => command === -10);
    expect(push).toMatchObject({ code: 1, eventValue: group, eventObj: 1 });
    expect(ann.packets.filter(({ success }) => success === false)).toEqual([]);
  });

  it('comes back many times within seconds, and is served each time', async () => {
    const ann = await starling.login(unique('ann'));
    const ben = unique('ben');
    for (let i = 0; i < 20; i++) {
      const back: ByteClient = await starling.loginBytes(ben, { emptyFirstFrame: true });
      await fence(ann, back);
      back.abort();
    }
  });

  it('sends fields of its own choice, and many of them null', async () => {
    const [ann, ben] = [await starling.loginBytes(unique('ann')), await starling.loginBytes(unique('ben'))];
    const packet: Packet = ann.message(ben.userId, 0, 'as webim.js has it', {
      fromUserHeadImg: null,
      toUserName: null,
      toUserHeadImg: undefined,
    });
    accepted(await ann.request(packet));
    expect(await ben.waitForMessage('as webim.js has it')).toMatchObject({ fromUserHeadImg: null });
  });
});

describe('webim.js with heartbeats as its only sign of life', () => {
  const starling = useStarling({ env: { SILENCE_TIMEOUT_MS: '4000' }, cluster: { gatewaysOnly: true } });

  it('stays connected, while a peer that is silent and answers no ping is closed', async () => {
    const ann = await starling.loginBytes(unique('ann'), { autoPong: false });
    const silent = await starling.loginBytes(unique('silent'), { autoPong: false });
    let beats = 0;
    await until('the silent one to be closed', async () => {
      await ann.heartbeat();
      beats += 1;
      return silent.closed;
    });
    expect(silent.closed!.code).toBe(4008);
    expect(beats).toBeGreaterThan(1);
    expect(ann.closed).toBeNull();
  });
});

describe('webim.js with a token in its URL', () => {
  const secret = 'a shared secret of more than 32 bytes, for tests';
  const starling = useStarling({
    env: { AUTH_MODE: 'jwt', JWT_SECRET: secret },
    cluster: { gatewaysOnly: true },
  });

  it('logs in without one in its login packet', async () => {
    const token = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('5m')
      .sign(new TextEncoder().encode(secret));
    const ann = await starling.connectBytes('ann', { urlSuffix: `?token=${token}`, emptyFirstFrame: true });
    accepted(await ann.login());
  });
});
