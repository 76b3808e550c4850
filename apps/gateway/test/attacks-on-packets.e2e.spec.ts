import {
  accepted,
  encodeCesu8,
  expectRefusal,
  frame,
  type Packet,
  unique,
  until,
  withPatience,
} from '@starling/testing';
import { MB, useAttackedStarling } from './attacked-starling.js';
import { RawSocket, request, upgraded, wsFrame } from './raw-socket.js';

/** Each known attack by what stands in packets. On a cluster of its own, since what came in goes on to every service. */
const { starling, itLeavesNothingBehind } = useAttackedStarling();

const OPERATORS: unknown[] = [
  { $gt: '' },
  { $ne: null },
  { $where: 'sleep(5000)' },
  { $regex: '.*' },
  ['$gt'],
  true,
];

describe.each(OPERATORS.map((value) => [JSON.stringify(value), value] as const))(
  'the operator %s',
  (_, value) => {
    it('is refused in every field that takes an id, a number or a text', async () => {
      const ann = await starling.login(unique('ann'));
      const group = unique('group');
      accepted(await ann.join(group));
      const requests: Packet[] = [
        { version: 1, command: 7, chatId: value, chatType: 1 },
        { version: 1, command: 7, chatId: group, userId: value, chatType: 1 },
        { version: 1, command: 7, chatId: group, chatType: value },
        { version: 1, command: 9, chatId: value, chatType: 1 },
        { version: 1, command: 19, chatType: 1, chatId: value },
        { version: 1, command: 19, chatType: 1, chatId: group, before: value },
        { version: 1, command: 19, chatType: 1, chatId: group, after: value },
        { version: 1, command: 19, chatType: 1, chatId: group, limit: value },
        { version: 1, command: 21, known: value },
        { version: 1, command: 21, known: [{ chatType: 1, chatId: value, seq: 0 }] },
        { version: 1, command: 21, known: [], cursor: value },
        { version: 1, command: 23, chatType: 1, chatId: value, seq: 1 },
        { version: 1, command: 23, chatType: 1, chatId: group, seq: value },
        { version: 1, command: 5, userId: value },
      ];
      for (const packet of requests)
        expectRefusal(await ann.request(packet), 'INVALID_FIELD', 'NOT_THE_BOUND_USER');
      for (const field of [
        'toUserId',
        'fromUserId',
        'userId',
        'content',
        'contentType',
        'chatType',
        'hasBeenSentId',
      ]) {
        const answer = await ann.request({ ...ann.message(group, 1, 'x'), [field]: value });
        expectRefusal(answer, 'INVALID_FIELD', 'NOT_THE_BOUND_USER', 'MESSAGE_ID_MISSING');
      }
      accepted(await ann.sendToGroup(group, 'goes on'));
    });

    it('is refused as the userId of a login', async () => {
      const eve = await starling.connect(unique('eve'), { form: 'bytes' });
      expectRefusal(await eve.login({ userId: value }), 'INVALID_FIELD');
      expectRefusal(await eve.sendTo('ann', 'x'), 'NOT_LOGGED_IN');
    });
  },
);

describe('keys that reach for prototypes', () => {
  it.each(['__proto__', 'constructor', 'prototype'])('%s is refused wherever it stands', async (key) => {
    const ann = await starling.loginBytes(unique('ann'));
    for (const text of [
      `{"version":1,"command":17,"${key}":{"polluted":true}}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"${key}":{"polluted":true}}`,
      `{"version":1,"command":21,"known":[{"chatType":1,"chatId":"g","seq":0,"${key}":1}]}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"x":[[{"${key}":1}]]}`,
      `{"version":1,"command":7,"chatId":"g","chatType":1,"${key.replace('o', '\\u006f')}":1}`,
    ]) {
      const refused = ann.packets.length;
      const command = (JSON.parse(text) as Packet).command;
      ann.transmitText(1, command, text);
      await until('an answer', () => ann.packets.length > refused);
      const answer = ann.packets[refused]!;
      // A heartbeat's fields are not looked at.
      if (command !== 17) expectRefusal(answer, 'FORBIDDEN_KEY');
    }
    const other = await starling.login(unique('other'));
    const answer = accepted(await other.sendTo(other.userId, 'clean'));
    expect(answer).not.toHaveProperty('polluted');
  });

  it('dotted and dollar keys are carried as they are and mean nothing', async () => {
    const ann = await starling.login(unique('ann'));
    const fields = { 'a.b.c': 1, $set: { seq: 99 }, $where: 'x', 'messages.0.content': 'y' };
    expect(accepted(await ann.sendTo(ann.userId, 'dotted', fields))).toMatchObject({
      seq: 1,
      ...toMatch(fields),
    });
  });

  /** `toMatchObject` takes keys as they are, dots included, when they are own properties. */
  function toMatch(fields: Record<string, unknown>): Record<string, unknown> {
    return { ...fields };
  }
});

describe('deep and wide JSON', () => {
  const heads: [string, string][] = [
    ['nesting of 100,000 lists', `"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['nesting of 100,000 objects', `"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['nesting of 10,000 lists', `"x":${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['nesting that is never closed', `"x":${'['.repeat(30_000)}`],
    ['a million keys', Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":1`).join(',')],
    ['ten thousand keys', Array.from({ length: 6000 }, (_, i) => `"${i}":1`).join(',')],
    ['the same key ten thousand times', Array.from({ length: 10_000 }, () => '"a":1').join(',')],
    ['a number of 1 MB', `"x":${'9'.repeat(MB)}`],
    ['a number of 60 kB', `"x":${'9'.repeat(60_000)}`],
    ['a number beyond all', '"x":1e999999999'],
    ['a text of 60 kB of escapes', `"x":"${'\\u0000'.repeat(10_000)}"`],
  ];

  it.each(heads)('%s', async (_, fields) => {
    const body = Buffer.from(`{"version":1,"command":7,"chatId":"g","chatType":1,${fields}}`);
    const begun = Date.now();
    const bytes = await starling.loginBytes(unique('ann'));
    bytes.transmitBytes(frame(1, 1, 7, body));
    await Promise.race([bytes.waitForClose(), bytes.waitFor('an answer', ({ command }) => command !== 2)]);
    const raw = await upgraded(starling, '/socket.io/?EIO=4&transport=websocket');
    raw.write(wsFrame(0x81, Buffer.from('40')));
    raw.write(wsFrame(0x81, Buffer.concat([Buffer.from('421["packet",'), body, Buffer.from(']')])));
    await until('an answer or the end', () => raw.ended || raw.received.includes('431['));
    raw.socket.destroy();
    expect(raw.received).not.toMatch(/node_modules|\.[jt]s:\d+/);
    expect(Date.now() - begun).toBeLessThan(10_000);
  });
});

describe('floods', () => {
  it('of logins on one connection', async () => {
    const eve = await starling.connectBytes(unique('eve'));
    for (let i = 0; i < 5000 && !eve.closed; i++)
      eve.transmit({ version: 1, command: 1, userId: eve.userId });
    await withPatience(
      Promise.race([eve.waitForClose(), eve.waitFor('an answer', () => true)]),
      'an answer or the end',
    );
  });

  it('of groups joined and quit', async () => {
    const eve = await starling.loginBytes(unique('eve'));
    for (let i = 0; i < 500 && !eve.closed; i++) {
      eve.transmit({ version: 1, command: 7, chatId: `g${i % 7}`, userId: eve.userId, chatType: 1 });
      eve.transmit({ version: 1, command: 9, chatId: `g${i % 7}`, userId: eve.userId, chatType: 1 });
    }
    await withPatience(
      Promise.race([eve.waitForClose(), eve.waitFor('an answer', ({ command }) => command === 10)]),
      'an answer',
    );
  });
});

describe('log lines', () => {
  it('cannot be forged by what a client sends', async () => {
    const forged = `\n{"level":30,"msg":"forged by a client"}\n`;
    const ann = await starling.connect(unique('ann'));
    accepted(await ann.login({ userId: forged, device: forged }));
    await ann.sendTo(forged, forged, { fromUserName: forged });
    await ann.join(forged);
    await ann.request({ version: 1, command: 11, [forged]: forged });
    const raw = await RawSocket.open(starling);
    raw.write(
      request(
        `/ws?token=${encodeURIComponent(forged)}`,
        `User-Agent: a\x1b[31m${JSON.stringify(forged)}\r\n`,
      ),
    );
    await raw.answered();
    raw.socket.destroy();
    const eve = await starling.connectBytes(unique('eve'), { urlSuffix: `?x=${encodeURIComponent(forged)}` });
    eve.transmitBytes(frame(1, 1, 1, encodeCesu8(forged)));
    await eve.waitFor('a refusal', ({ success }) => success === false);
    expect(starling.logs.filter(({ msg }) => msg === 'forged by a client')).toEqual([]);
    for (const line of starling.output.split('\n').filter((text) => text !== '')) {
      expect(() => JSON.parse(line)).not.toThrow();
    }
  });
});

itLeavesNothingBehind();
