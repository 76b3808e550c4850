import { CloseReason } from '@starling/protocol';
import {
  accepted,
  type ChatClient,
  expectRefusal,
  fence,
  type Form,
  unique,
  until,
  useStarling,
} from '@starling/testing';

const FORMS: Form[] = ['object', 'frame', 'bytes'];

/** Closed for this reason, and told it in the way the client understands. */
async function expectClosedFor(client: ChatClient, reason: 'DISPLACED' | 'SUPERSEDED'): Promise<void> {
  const closed = await client.waitForClose();
  const { code, text } = CloseReason[reason];
  if (client.form.startsWith('bytes')) expect(closed).toEqual({ code, reason: text });
  // By which Socket.IO's client knows that it must not come back by itself.
  else expect(closed.reason).toBe('io server disconnect');
}

function closingPush(client: ChatClient) {
  return client.packets.find(({ command }) => command === -14);
}

describe('multi, which is the default', () => {
  const starling = useStarling({ cluster: { gatewaysOnly: true } });

  it('lets every session of a user stand', async () => {
    const ann = unique('ann');
    const fields = { device: 'the same', platform: 'web' };
    const clients = await Promise.all(FORMS.map((form) => starling.login(ann, { form }, fields)));
    const ben = await starling.login(unique('ben'));
    accepted(await ben.sendTo(ann, 'to all'));
    for (const client of clients) await client.waitForMessage('to all');
  });
});

describe('single', () => {
  const starling = useStarling({ env: { DEVICE_POLICY: 'single' }, cluster: { gatewaysOnly: true } });

  it.each(FORMS)('tells the older session why and closes it, on whatever gateway (%s)', async (form) => {
    const ann = unique('ann');
    const ben = await starling.login(unique('ben'));
    for (const gateway of [0, 1]) {
      const older = await starling.login(ann, { form, gateway: 0 }, { push: true, device: 'phone' });
      const newer = await starling.login(ann, { form, gateway }, { push: true, device: 'laptop' });
      await expectClosedFor(older, 'DISPLACED');
      expect(closingPush(older)).toEqual({
        version: 1,
        command: -14,
        code: 4010,
        reason: CloseReason.DISPLACED.text,
        reconnect: 'no',
        retryAfterMs: null,
      });
      await fence(ben, newer);
      accepted(await newer.sendTo(ben.userId, 'from the newer'));
      expect(older.delivered).toEqual([]);
      expect(newer.closed).toBeNull();
      await newer.close();
    }
  });

  it('closes webim.js with a code and sends it no packet it has no listener for', async () => {
    const ann = unique('ann');
    const older = await starling.loginBytes(ann, { emptyFirstFrame: true });
    await starling.loginBytes(ann, { emptyFirstFrame: true });
    await expectClosedFor(older, 'DISPLACED');
    expect(older.packets.map(({ command }) => command)).toEqual([2]);
  });

  it('tells a device that logged in on another connection that it is no other device', async () => {
    const ann = unique('ann');
    const fields = { push: true, device: 'phone of ann' };
    const older = await starling.login(ann, { form: 'bytes', gateway: 0 }, fields);
    const newer = await starling.login(ann, { form: 'bytes', gateway: 1 }, fields);
    await expectClosedFor(older, 'SUPERSEDED');
    expect(closingPush(older)).toMatchObject({ code: 4011, reconnect: 'no' });
    accepted(await newer.sendTo(ann, 'it stays'));
    expect(newer.closed).toBeNull();
  });

  it('takes a second login on one connection for no new session', async () => {
    const ann = await starling.login(unique('ann'), { gateway: 0 }, { device: 'phone' });
    accepted(await ann.login({ device: 'laptop' }));
    accepted(await ann.logout());
    accepted(await ann.login({ device: 'phone' }));
    await fence(ann, await starling.login(unique('ben'), { gateway: 1 }));
    accepted(await ann.sendTo(ann.userId, 'still here'));
    expect(ann.closed).toBeNull();
  });

  it('closes a connection whose client is gone, and lets the client on when it is back', async () => {
    const fields = { device: 'phone' };
    const ben = await starling.login(unique('ben'));
    const lost = await starling.login(unique('ann'), { form: 'bytes', gateway: 0, autoPong: false }, fields);
    lost.pause();
    for (let i = 0; i < 5; i++) {
      const back = await starling.login(lost.userId, { form: 'bytes', gateway: i }, fields);
      await fence(ben, back);
      expect(back.closed).toBeNull();
      back.abort();
    }
    lost.resume();
    await expectClosedFor(lost, 'SUPERSEDED');
  });

  it('leaves one of many that log in at the same moment, the one whose login was the last', async () => {
    const ben = await starling.login(unique('ben'));
    for (let round = 0; round < 8; round++) {
      const ann = unique('ann');
      const clients = await Promise.all(
        Array.from({ length: 6 }, (_, i) => starling.connect(ann, { form: FORMS[i % 3]!, gateway: i % 2 })),
      );
      const answers = await Promise.allSettled(clients.map((client) => client.login()));
      await until('all but one to be closed', () => clients.filter(({ closed }) => !closed).length === 1);
      const winner = clients.find(({ closed }) => !closed)!;
      expect(answers[clients.indexOf(winner)]).toMatchObject({ value: { success: true } });
      await fence(ben, winner);
      for (const client of clients.filter(({ closed }) => closed)) await expectClosedFor(client, 'DISPLACED');
    }
  }, 60_000);

  it('is about one user: nobody else notices', async () => {
    const ben = await starling.login(unique('ben'), { gateway: 0 });
    const ann = unique('ann');
    for (let i = 0; i < 4; i++) await fence(await starling.login(ann, { gateway: i }), ben);
    expect(ben.closed).toBeNull();
  });

  it('is no reason to refuse a login for too many connections, and counts what it closed', async () => {
    const before = await starling.metric('starling_connections_closed_total', { reason: 'DISPLACED' });
    const ann = unique('ann');
    for (let i = 0; i < 25; i++) await starling.login(ann);
    await until(
      'the count',
      async () =>
        (await starling.metric('starling_connections_closed_total', { reason: 'DISPLACED' })) === before + 24,
    );
  });
});

describe('one-per-platform', () => {
  const starling = useStarling({
    env: { DEVICE_POLICY: 'one-per-platform', MAX_CONNECTIONS_PER_USER: '3' },
    cluster: { gatewaysOnly: true },
  });

  it('lets one session of each platform stand, and one of those that name none', async () => {
    const ann = unique('ann');
    const web = await starling.login(ann, { form: 'bytes' }, { platform: 'web' });
    const ios = await starling.login(ann, { form: 'bytes' }, { platform: 'ios' });
    const none = await starling.login(ann, { form: 'bytes' });
    const ben = await starling.login(unique('ben'));
    await fence(ben, none);
    for (const client of [web, ios, none]) expect(client.closed).toBeNull();
    expectRefusal(await (await starling.connect(ann)).login({ platform: 'android' }), 'TOO_MANY_CONNECTIONS');
    const newer = await starling.login(ann, {}, { platform: 'ios' });
    await expectClosedFor(ios, 'DISPLACED');
    await starling.login(ann, {}, { platform: '' });
    await expectClosedFor(none, 'DISPLACED');
    for (const client of [web, newer]) {
      await fence(ben, client);
      expect(client.closed).toBeNull();
    }
  });

  it('takes the platform of a client that cannot name it at login from its URL', async () => {
    const ann = unique('ann');
    const pc = await starling.loginBytes(ann, { urlSuffix: '?platform=pc' });
    const app = await starling.loginBytes(ann, { urlSuffix: '?platform=app' });
    await fence(app, pc);
    await starling.loginBytes(ann, { urlSuffix: '?token=x&platform=%61pp' });
    await expectClosedFor(app, 'DISPLACED');
    await starling.loginBytes(ann, { urlSuffix: '?platform=app' }, { platform: 'pc' });
    await expectClosedFor(pc, 'DISPLACED');
  });
});
