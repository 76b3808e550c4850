import { CloseReason, ErrorCode } from '@starling/protocol';
import {
  accepted,
  type ChatClient,
  expectRefusal,
  fence,
  type Form,
  type Packet,
  unique,
  until,
  useStarling,
} from '@starling/testing';

const FORMS: Form[] = ['object', 'frame', 'bytes'];

describe('packet size', () => {
  const starling = useStarling({ env: { MAX_PACKET_BYTES: '4096' }, cluster: { gatewaysOnly: true } });

  it.each(FORMS)('above the limit is refused, below it passes (%s)', async (form) => {
    const [ann, ben] = [await starling.login(unique('ann'), { form }), await starling.login(unique('ben'))];
    ann.transmit(ann.message(ben.userId, 0, 'x'.repeat(4200)));
    expectRefusal(await ann.waitFor('a refusal', ({ success }) => success === false), 'PACKET_TOO_LARGE');
    expect(accepted(await ann.sendTo(ben.userId, 'y'.repeat(3000)))).toMatchObject({ seq: 1 });
    await ben.waitForMessage('y'.repeat(3000));
  });

  it.each(FORMS)('is counted in bytes, not in characters (%s)', async (form) => {
    const ann = await starling.login(unique('ann'), { form });
    ann.transmit(ann.message(ann.userId, 0, '界'.repeat(1500)));
    expectRefusal(await ann.waitFor('a refusal', ({ success }) => success === false), 'PACKET_TOO_LARGE');
  });

  it.each(FORMS)(
    'far above the limit ends the connection or is refused, and nobody else notices (%s)',
    async (form) => {
      const [ann, ben] = [await starling.login(unique('ann'), { form }), await starling.login(unique('ben'))];
      ann.transmit(ann.message(ben.userId, 0, 'x'.repeat(5 << 20)));
      await Promise.race([ann.waitForClose(), ann.waitFor('a refusal', ({ success }) => success === false)]);
      await fence(ben, await starling.login(unique('cem')));
      expect(ben.shown).toEqual([]);
    },
  );
});

describe('length of ids', () => {
  const starling = useStarling({ env: { MAX_ID_LENGTH: '20' }, cluster: { gatewaysOnly: true } });

  it('is limited in every place that takes one', async () => {
    const long = 'x'.repeat(21);
    const ann = await starling.connect('a'.repeat(20));
    expectRefusal(await ann.login({ userId: long }), 'INVALID_FIELD');
    accepted(await ann.login());
    expectRefusal(await ann.join(long), 'INVALID_FIELD');
    expectRefusal(await ann.quit(long), 'INVALID_FIELD');
    expectRefusal(await ann.sendTo(long, 'x'), 'INVALID_FIELD');
    expectRefusal(await ann.sendToGroup(long, 'x'), 'INVALID_FIELD');
    expectRefusal(await ann.sendTo('ben', 'x', { hasBeenSentId: long }), 'INVALID_FIELD');
    expectRefusal(await ann.history(0, long), 'INVALID_FIELD');
    expectRefusal(await ann.read(0, long, 1), 'INVALID_FIELD');
    expectRefusal(await ann.sync([{ chatType: 0, chatId: long, seq: 0 }]), 'INVALID_FIELD');
    accepted(await ann.join('g'.repeat(20)));
    accepted(await ann.sendTo('b'.repeat(20), 'x', { hasBeenSentId: 'i'.repeat(20) }));
  });
});

describe('rate of packets', () => {
  const starling = useStarling({
    env: { PACKETS_PER_SECOND: '10', PACKETS_BURST: '20' },
    cluster: { gatewaysOnly: true },
  });

  it.each(FORMS)('above the limit is refused, and what was refused changes nothing (%s)', async (form) => {
    const [ann, ben] = [await starling.login(unique('ann'), { form }), await starling.login(unique('ben'))];
    const began = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 35 }, (_, i) => ann.sendTo(ben.userId, `message ${i}`)),
    );
    const passed = answers.filter(({ success }) => success === true);
    const refused = answers.filter(({ success }) => success !== true);
    expect(passed.length).toBeGreaterThanOrEqual(18);
    // A busy machine may take a while to read them.
    const seconds = (performance.now() - began) / 1000;
    expect(passed.length).toBeLessThanOrEqual(20 + 10 * seconds + 1);
    for (const answer of refused) expectRefusal(answer, 'RATE_LIMITED');
    await ben.waitForMessage(passed.at(-1)!['content']);
    expect(ben.shown.map(({ content }) => content)).toEqual(passed.map(({ content }) => content));
    expect(passed.map(({ seq }) => seq)).toEqual(passed.map((_, i) => i + 1));
  });

  it('is let through again after a while', async () => {
    const ann = await starling.login(unique('ann'));
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => ann.sendTo(ann.userId, `message ${i}`)),
    );
    expect(answers.some(({ success }) => success === false)).toBe(true);
    await until('a message to pass', async () => (await ann.sendTo(ann.userId, 'later'))['success'] === true);
  });

  it('of one connection is no other connection’s trouble', async () => {
    const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
    const flood = Promise.all(Array.from({ length: 40 }, () => ann.sendTo(ann.userId, 'flood')));
    accepted(await ben.sendTo(ben.userId, 'calm'));
    await flood;
  });

  it.each(FORMS)('far above the limit closes the connection (%s)', async (form) => {
    const [eve, ben] = [await starling.login(unique('eve'), { form }), await starling.login(unique('ben'))];
    let sent = 0;
    await until('the flood to be stopped', () => {
      for (let i = 0; i < 50; i++) eve.transmit(eve.message(eve.userId, 0, `flood ${sent++}`));
      return eve.closed;
    });
    if (form === 'bytes') expect(eve.closed!.code).toBe(CloseReason.FLOOD.code);
    accepted(await ben.sendTo(ben.userId, 'calm'));
  });

  it('holds before login too', async () => {
    const eve = await starling.connectBytes(unique('eve'));
    await until('the flood to be stopped', () => {
      for (let i = 0; i < 50; i++) eve.transmit({ version: 1, command: 17 });
      return eve.closed;
    });
  });
});

describe('unanswered packets', () => {
  const starling = useStarling({
    env: { MAX_UNANSWERED: '8', PACKETS_PER_SECOND: '100000', PACKETS_BURST: '100000' },
    cluster: { gatewaysOnly: true },
  });

  it.each(FORMS)('above the limit are refused, and may be sent again (%s)', async (form) => {
    const [ann, ben] = [await starling.login(unique('ann'), { form }), await starling.login(unique('ben'))];
    const packets = Array.from({ length: 200 }, (_, i) => ann.message(ben.userId, 0, `message ${i}`));
    const answers = await Promise.all(packets.map((packet) => ann.request(packet)));
    const refused = answers.filter(({ success }) => success !== true);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) expectRefusal(answer, 'TOO_MANY_UNANSWERED');
    for (const packet of packets) accepted(await ann.request(packet));
    const history = await ben.wholeHistory(0, ann.userId);
    expect(history).toHaveLength(200);
  });
});

describe('connections of a user', () => {
  const starling = useStarling({ env: { MAX_CONNECTIONS_PER_USER: '3' }, cluster: { gatewaysOnly: true } });

  it('above the limit are refused at login, until one is closed', async () => {
    const ann = unique('ann');
    const devices = await Promise.all(FORMS.map((form) => starling.login(ann, { form })));
    for (const form of FORMS) {
      const fourth = await starling.connect(ann, { form });
      expectRefusal(await fourth.login(), 'TOO_MANY_CONNECTIONS');
    }
    await starling.login(unique('ben'));
    await devices[1]!.close();
    const next = await starling.connect(ann);
    await until('room for another', async () => (await next.login())['success'] === true);
    accepted(await devices[0]!.sendTo(ann, 'to myself'));
    await next.waitForMessage('to myself');
  });

  it('free their place at logout and when they are cut', async () => {
    const ann = unique('ann');
    const devices = await Promise.all(FORMS.map((form) => starling.login(ann, { form })));
    accepted(await devices[0]!.logout());
    const fourth = await starling.connect(ann);
    await until('room for a fourth', async () => (await fourth.login())['success'] === true);
    devices[1]!.abort();
    const fifth = await starling.connect(ann);
    await until('room for a fifth', async () => (await fifth.login())['success'] === true);
  });
});

/** Addresses are counted by each gateway. */
const ONE_GATEWAY = { gateway: 0 };

describe('connections of an address', () => {
  const starling = useStarling({
    env: { MAX_CONNECTIONS_PER_ADDRESS: '4' },
    cluster: { gatewaysOnly: true },
  });

  it.each(FORMS)('above the limit are not admitted, until one is closed (%s)', async (form) => {
    const clients: ChatClient[] = [];
    for (let i = 0; i < 4; i++) clients.push(await starling.login(unique('ann'), { form, ...ONE_GATEWAY }));
    expect(await isAdmitted(() => starling.connect(unique('ben'), { form, ...ONE_GATEWAY }))).toBe(false);
    await clients[0]!.close();
    await until('a place to be free', () =>
      isAdmitted(() => starling.connect(unique('ben'), { form, ...ONE_GATEWAY })),
    );
    accepted(await clients[1]!.sendTo(clients[1]!.userId, 'not concerned'));
  });

  it('do not believe X-Forwarded-For of anybody', async () => {
    for (let i = 0; i < 4; i++) await starling.login(unique('ann'), forwardedFor(`10.0.0.${i}`));
    expect(await isAdmitted(() => starling.connect(unique('ben'), forwardedFor('10.0.0.99')))).toBe(false);
  });
});

describe('connections of an address behind a trusted proxy', () => {
  const starling = useStarling({
    env: { MAX_CONNECTIONS_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.0.0/8,192.168.0.0/16' },
    cluster: { gatewaysOnly: true },
  });

  it.each(FORMS)('are those of the forwarded address (%s)', async (form) => {
    const name = FORMS.indexOf(form);
    const connect = (address: string) => starling.connect(unique('ann'), { form, ...forwardedFor(address) });
    await connect(`10.0.${name}.1`);
    await connect(`10.0.${name}.1, 192.168.3.4`);
    await connect(`10.0.${name}.2`);
    // What the client itself wrote in front proves nothing.
    expect(await isAdmitted(() => connect(`1.2.3.4, 10.0.${name}.1`))).toBe(false);
    expect(await isAdmitted(() => connect(`10.0.${name}.2`))).toBe(true);
  });
});

function forwardedFor(addresses: string) {
  return { headers: { 'X-Forwarded-For': addresses }, ...ONE_GATEWAY };
}

/** Whether a connection could be opened and answers; the server may also open it only to close it with a reason. */
async function isAdmitted(connect: () => Promise<ChatClient>): Promise<boolean> {
  let client: ChatClient;
  try {
    client = await connect();
  } catch {
    return false;
  }
  const answer: Packet | null = await client.heartbeat().catch(() => null);
  if (answer?.['errorCode'] === ErrorCode.TOO_MANY_CONNECTIONS_OF_ADDRESS.code) return false;
  return answer?.command === 18;
}
