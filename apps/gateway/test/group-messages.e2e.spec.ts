import { accepted, type ChatClient, expectRefusal, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({
  env: { MAX_JSON_DEPTH: '8', MAX_JSON_KEYS: '50' },
  cluster: { gatewaysOnly: true },
});

const FORMS: Form[] = ['object', 'frame', 'bytes'];

async function groupOf(count: number): Promise<{ group: string; members: ChatClient[] }> {
  const group = unique('group');
  const members: ChatClient[] = [];
  for (let i = 0; i < count; i++) {
    const member = await starling.login(unique('member'), { form: FORMS[i % FORMS.length]! });
    accepted(await member.join(group));
    members.push(member);
  }
  return { group, members };
}

it('reach every member once, and the sender as the answer alone', async () => {
  const { group, members } = await groupOf(6);
  const [ann, ...others] = members;
  const answer = accepted(await ann!.sendToGroup(group, 'to all'));
  for (const other of others) {
    expect(await other.waitForMessage('to all')).toEqual({ ...answer, isItMe: false });
  }
  accepted(await ann!.sendToGroup(group, 'again'));
  await Promise.all(others.map((other) => other.waitForMessage('again')));
  for (const other of others) expect(other.shown).toHaveLength(2);
  expect(ann!.delivered).toEqual([]);
});

it('of many senders at once have one order for everybody, live and in history', async () => {
  const { group, members } = await groupOf(6);
  const rounds = 30;
  const answers = await Promise.all(
    members.flatMap((member) =>
      Array.from({ length: rounds }, (_, i) => member.sendToGroup(group, `${member.userId} says ${i}`)),
    ),
  );
  const order = answers
    .map(accepted)
    .sort((a, b) => a['seq'] - b['seq'])
    .map(({ content }) => content);
  expect(answers.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(order.map((_, i) => i + 1));
  for (const member of members) {
    const others = order.filter((content) => !content.startsWith(`${member.userId} `));
    await member.waitForMessage(others.at(-1));
    expect(member.shown.map(({ content }) => content)).toEqual(others);
    const own = order.filter((content) => content.startsWith(`${member.userId} `));
    expect(own).toEqual(Array.from({ length: rounds }, (_, i) => `${member.userId} says ${i}`));
  }
  const history = await members[0]!.wholeHistory(1, group);
  expect(history.map(({ content }) => content)).toEqual(order);
});

it('carry unknown fields through unchanged', async () => {
  const { group, members } = await groupOf(3);
  const unknown = {
    reply: { to: 17, quote: 'Größe 😀', 'dotted.key': [1, 2.5, -0.25e-7, null, true, [[]]] },
    $where: 'harmless as a value',
    '': 'an empty key',
  };
  accepted(await members[0]!.sendToGroup(group, 'with more', unknown));
  for (const member of members.slice(1))
    expect(await member.waitForMessage('with more')).toMatchObject(unknown);
  const history = accepted(await members[1]!.history(1, group));
  expect(history['messages'][0]).toMatchObject(unknown);
});

it("overwrite what is the server's to say", async () => {
  const { group, members } = await groupOf(2);
  const claims = { seq: 99, messageId: 'mine', serverTime: 1, success: false, isItMe: false };
  const answer = accepted(await members[0]!.sendToGroup(group, 'claims', claims));
  expect(answer).toMatchObject({ seq: 1, isItMe: true, success: true });
  expect(answer['messageId']).not.toBe('mine');
  expect(answer['serverTime']).toBeGreaterThan(1);
  expect(await members[1]!.waitForMessage('claims')).toEqual({ ...answer, isItMe: false });
});

it.each([
  ['TOO_DEEP' as const, 'are nested too deeply', { deep: [[[[[[[[[[1]]]]]]]]]] }],
  [
    'TOO_DEEP' as const,
    'have too many keys',
    Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`k${i}`, i])),
  ],
  ['FORBIDDEN_KEY' as const, 'have a key __proto__', { more: JSON.parse('{"__proto__": {"admin": true}}') }],
  ['FORBIDDEN_KEY' as const, 'have a key constructor', { constructor: { prototype: 1 } }],
  ['FORBIDDEN_KEY' as const, 'have a key prototype', { more: [{ prototype: 1 }] }],
])('are refused with %s where unknown fields %s', async (name, _, fields) => {
  const { group, members } = await groupOf(2);
  expectRefusal(await members[0]!.sendToGroup(group, 'refused', fields), name);
  expect(accepted(await members[0]!.sendToGroup(group, 'fine'))).toMatchObject({ seq: 1 });
  await members[1]!.waitForMessage('fine');
  expect(members[1]!.shown).toHaveLength(1);
});

it.each([
  ['content', 7],
  ['content', null],
  ['content', { $gt: '' }],
  ['contentType', '0'],
  ['contentType', 1.5],
  ['chatType', 2],
  ['chatType', '1'],
  ['toUserId', 12],
  ['toUserId', ''],
  ['toUserId', { $ne: null }],
  ['createTime', 'yesterday'],
  ['fromUserName', ['a']],
  ['toUserHeadImg', 5],
  ['hasBeenSentId', { $gt: 0 }],
  ['hasBeenSentId', true],
])('are refused where %s is %j, with the request echoed', async (field, value) => {
  const { group, members } = await groupOf(2);
  const [ann, ben] = members;
  const packet = ann!.message(group, 1, 'refused', { [field]: value });
  ann!.transmit(packet);
  const answer = await ann!.waitFor(
    'a refusal',
    ({ command, success }) => command === 4 && success === false,
  );
  expectRefusal(answer, 'INVALID_FIELD', 'MESSAGE_ID_MISSING');
  expect(answer).toMatchObject({ ...packet, command: 4, fromUserId: ann!.userId });
  expect(accepted(await ann!.sendToGroup(group, 'fine'))).toMatchObject({ seq: 1 });
  await ben!.waitForMessage('fine');
  expect(ben!.shown).toHaveLength(1);
});
