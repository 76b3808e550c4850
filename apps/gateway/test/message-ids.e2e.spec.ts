import {
  accepted,
  type ChatClient,
  expectRefusal,
  fence,
  type Form,
  unique,
  useStarling,
} from '@starling/testing';

const starling = useStarling({ env: { MAX_ID_LENGTH: '40' }, cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

async function annAndBen(form: Form = 'object'): Promise<[ChatClient, ChatClient]> {
  return [await starling.login(unique('ann'), { form }), await starling.login(unique('ben'), { form })];
}

describe.each(FORMS)('the id (%s)', (form) => {
  it.each(
    [1700000000123, 0, -5, 1.5, 9007199254740991, '1700000000123', 'a-b', '', '😀', 'x'.repeat(40)].filter(
      (id) => id !== '',
    ),
  )('is echoed with its type: %j', async (hasBeenSentId) => {
    const [ann, ben] = await annAndBen(form);
    expect(accepted(await ann.sendTo(ben.userId, 'typed id', { hasBeenSentId }))['hasBeenSentId']).toBe(
      hasBeenSentId,
    );
    expect((await ben.waitForMessage('typed id'))['hasBeenSentId']).toBe(hasBeenSentId);
    const history = accepted(await ben.history(0, ann.userId));
    expect(history['messages'][0].hasBeenSentId).toBe(hasBeenSentId);
  });

  it('sent again with the same content is one message, shown once', async () => {
    const [ann, ben] = await annAndBen(form);
    const packet = ann.message(ben.userId, 0, 'again and again');
    const first = accepted(await ann.request(packet));
    for (let i = 0; i < 3; i++) {
      expect(accepted(await ann.request(packet))).toMatchObject({
        messageId: first['messageId'],
        seq: first['seq'],
        hasBeenSentId: packet['hasBeenSentId'],
      });
    }
    expect(accepted(await ann.sendTo(ben.userId, 'next'))).toMatchObject({ seq: 2 });
    await ben.waitForMessage('next');
    expect(ben.shown.map(({ content }) => content)).toEqual(['again and again', 'next']);
  });
});

it('sent again without waiting for the answer is one message', async () => {
  const [ann, ben] = await annAndBen('bytes');
  const packet = ann.message(ben.userId, 0, 'in a hurry');
  const answers = await Promise.all(Array.from({ length: 20 }, () => ann.request(packet)));
  expect(new Set(answers.map((answer) => accepted(answer)['messageId'])).size).toBe(1);
  expect(accepted(await ann.sendTo(ben.userId, 'next'))).toMatchObject({ seq: 2 });
  await ben.waitForMessage('next');
  expect(ben.shown).toHaveLength(2);
});

it('sent again on a new connection is one message', async () => {
  const [ann, ben] = await annAndBen();
  const packet = ann.message(ben.userId, 0, 'after a cut');
  const first = accepted(await ann.request(packet));
  ann.abort();
  const again = await starling.login(ann.userId, { form: 'bytes' });
  expect(accepted(await again.request(packet))).toMatchObject({ messageId: first['messageId'], seq: 1 });
  accepted(await again.sendTo(ben.userId, 'next'));
  await ben.waitForMessage('next');
  expect(ben.shown.map(({ content }) => content)).toEqual(['after a cut', 'next']);
});

it('sent again with another clock is still the same message', async () => {
  const [ann, ben] = await annAndBen();
  const packet = ann.message(ben.userId, 0, 'retried later');
  const first = accepted(await ann.request(packet));
  const again = accepted(await ann.request({ ...packet, createTime: packet['createTime'] + 5000 }));
  expect(again).toMatchObject({ messageId: first['messageId'], seq: 1 });
  await fence(ann, ben);
  expect(ben.shown.filter(({ content }) => content === 'retried later')).toHaveLength(1);
});

it.each([
  ['other content', { content: 'other' }],
  ['another content type', { contentType: 1 }],
])('sent again with %s is a new message', async (_, changes) => {
  const [ann, ben] = await annAndBen();
  const packet = ann.message(ben.userId, 0, 'first');
  const first = accepted(await ann.request(packet));
  const second = accepted(await ann.request({ ...packet, ...changes }));
  expect(second).toMatchObject({ seq: 2 });
  expect(second['messageId']).not.toBe(first['messageId']);
  await fence(ann, ben);
  expect(ben.shown).toHaveLength(3);
});

it('as a number and as text are two ids', async () => {
  const [ann, ben] = await annAndBen();
  accepted(await ann.sendTo(ben.userId, 'same', { hasBeenSentId: 17 }));
  expect(accepted(await ann.sendTo(ben.userId, 'same', { hasBeenSentId: '17' }))).toMatchObject({ seq: 2 });
});

it('is free for other senders and other conversations', async () => {
  const [ann, ben] = await annAndBen();
  const cem = await starling.login(unique('cem'));
  accepted(await ann.sendTo(ben.userId, 'same', { hasBeenSentId: 17 }));
  expect(accepted(await ben.sendTo(ann.userId, 'same', { hasBeenSentId: 17 }))).toMatchObject({ seq: 2 });
  expect(accepted(await ann.sendTo(cem.userId, 'same', { hasBeenSentId: 17 }))).toMatchObject({ seq: 1 });
  await ann.waitForMessage('same');
  await cem.waitForMessage('same');
});

it('of a red packet is used again by "red packet taken", which is a message of its own', async () => {
  const [ann, ben] = await annAndBen('bytes');
  const content = JSON.stringify({ amount: 8.88, greeting: '恭喜发财' });
  const packet = ann.message(ben.userId, 0, content, { contentType: 4 });
  const offered = accepted(await ann.request(packet));
  await ben.waitForMessage(content);
  const taken = ben.message(ann.userId, 0, content, {
    contentType: 5,
    hasBeenSentId: packet['hasBeenSentId'],
  });
  expect(accepted(await ben.request(taken))).toMatchObject({
    seq: 2,
    hasBeenSentId: packet['hasBeenSentId'],
  });
  expect(await ann.waitForMessage(content)).toMatchObject({ contentType: 5 });
  const ownTaken = accepted(await ann.request({ ...packet, contentType: 5 }));
  expect(ownTaken).toMatchObject({ seq: 3 });
  expect(ownTaken['messageId']).not.toBe(offered['messageId']);
});

it.each([
  ['is missing', undefined, 'MESSAGE_ID_MISSING' as const],
  ['is null', null, 'MESSAGE_ID_MISSING' as const],
  ['is too long', 'x'.repeat(41), 'INVALID_FIELD' as const],
  ['is an object', { $gt: '' }, 'INVALID_FIELD' as const],
  ['has an unpaired surrogate', '\ud83d', 'INVALID_FIELD' as const],
])('that %s is refused', async (_, hasBeenSentId, name) => {
  const [ann] = await annAndBen();
  ann.transmit(ann.message(ann.userId, 0, 'refused', { hasBeenSentId }));
  const answer = await ann.waitFor('a refusal', ({ command, success }) => command === 4 && success === false);
  expectRefusal(answer, name, 'INVALID_FIELD');
  expect(accepted(await ann.sendTo(ann.userId, 'fine'))).toMatchObject({ seq: 1 });
});
