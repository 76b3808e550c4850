import { accepted, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

it.each(FORMS)('reach the other user with the fields they were sent with (%s)', async (form) => {
  const ann = await starling.login(unique('ann'), { form });
  const ben = await starling.login(unique('ben'), { form });
  const before = Date.now();
  const packet = ann.message(ben.userId, 0, 'hello', { contentType: 3 });
  const answer = await ann.request(packet);
  expect(answer).toEqual({
    ...packet,
    command: 4,
    isItMe: true,
    success: true,
    messageId: expect.any(String),
    seq: 1,
    serverTime: expect.any(Number),
  });
  expect(Math.abs(answer['serverTime'] - before)).toBeLessThan(60_000);
  const received = await ben.waitForMessage('hello');
  expect(received).toEqual({ ...answer, isItMe: false });
});

it('of both users count up one conversation', async () => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  const seqs = [
    await ann.sendTo(ben.userId, '1'),
    await ben.sendTo(ann.userId, '2'),
    await ann.sendTo(ben.userId, '3'),
  ].map((answer) => accepted(answer)['seq']);
  expect(seqs).toEqual([1, 2, 3]);
  await ben.waitForMessage('3');
  expect(ben.shown.map(({ content }) => content)).toEqual(['1', '3']);
  expect(ann.shown.map(({ content }) => content)).toEqual(['2']);
});

it('keep the order in which one connection sent them without waiting', async () => {
  const ann = await starling.login(unique('ann'), { form: 'bytes' });
  const ben = await starling.login(unique('ben'));
  const contents = Array.from({ length: 100 }, (_, i) => `message ${i}`);
  const answers = await Promise.all(contents.map((content) => ann.sendTo(ben.userId, content)));
  expect(answers.map((answer) => accepted(answer)['seq'])).toEqual(contents.map((_, i) => i + 1));
  await ben.waitForMessage('message 99');
  expect(ben.shown.map(({ content }) => content)).toEqual(contents);
});

it('to a user who is offline, or never was here, are kept in the history', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = unique('ben');
  accepted(await ann.sendTo(ben, 'for later'));
  const later = await starling.login(ben);
  const history = accepted(await later.history(0, ann.userId));
  expect(history['messages']).toMatchObject([{ content: 'for later', fromUserId: ann.userId, seq: 1 }]);
});

it('to oneself are answered once and not shown as those of another', async () => {
  const ann = await starling.login(unique('ann'));
  expect(accepted(await ann.sendTo(ann.userId, 'a note'))).toMatchObject({ seq: 1, isItMe: true });
  expect(accepted(await ann.sendTo(ann.userId, 'another'))).toMatchObject({ seq: 2, isItMe: true });
  await ann.heartbeat();
  expect(ann.delivered).toEqual([]);
});

it.each([0, 5, 6, 1000])('pass with contentType %d', async (contentType) => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  accepted(await ann.sendTo(ben.userId, 'typed', { contentType }));
  expect(await ben.waitForMessage('typed')).toMatchObject({ contentType });
});

it.each([
  'a.b',
  'a b',
  '$gt',
  '*',
  '>',
  'a/../b',
  '用户',
  '😀',
  '"quoted"',
  '__proto__',
  'constructor',
  "';--",
  '%00',
])('reach a user whose id is %s', async (id) => {
  const ann = await starling.login(unique('ann'));
  const odd = await starling.login(id, { form: 'bytes' });
  accepted(await ann.sendTo(id, `for ${id}`));
  expect(await odd.waitForMessage(`for ${id}`)).toMatchObject({ toUserId: id });
  accepted(await odd.sendTo(ann.userId, `from ${id}`));
  expect(await ann.waitForMessage(`from ${id}`)).toMatchObject({ fromUserId: id });
});
