import {
  accepted,
  type ChatClient,
  expectRefusal,
  type Form,
  type Packet,
  unique,
  useStarling,
} from '@starling/testing';

const starling = useStarling({ env: { PACKETS_BURST: '2000' } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

async function groupWith(count: number, form: Form = 'object'): Promise<{ ann: ChatClient; group: string }> {
  const ann = await starling.login(unique('ann'), { form });
  const group = unique('group');
  accepted(await ann.join(group));
  await Promise.all(
    Array.from({ length: count }, (_, i) => ann.sendToGroup(group, `message ${i + 1}`).then(accepted)),
  );
  return { ann, group };
}

function seqs(answer: Packet): number[] {
  return answer['messages'].map(({ seq }: { seq: number }) => seq);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

it('gives large messages in pages, whatever their text costs on the way', async () => {
  const ann = await starling.login(unique('ann'));
  const group = unique('group');
  accepted(await ann.join(group));
  const content = '"漢'.repeat(12_000);
  for (let i = 0; i < 50; i++) accepted(await ann.sendToGroup(group, content));
  const found = await ann.wholeHistory(1, group);
  expect(found.map(({ seq }) => seq)).toEqual(range(1, 50));
  for (const message of found) expect(message['content']).toBe(content);
});

it.each(FORMS)('shows messages as they were delivered, oldest first (%s)', async (form) => {
  const ann = await starling.login(unique('ann'), { form });
  const ben = await starling.login(unique('ben'), { form });
  accepted(await ann.sendTo(ben.userId, 'one'));
  accepted(await ben.sendTo(ann.userId, 'two'));
  const delivered = await ben.waitForMessage('one');
  const answer = accepted(await ben.history(0, ann.userId));
  expect(answer).toMatchObject({
    version: 1,
    command: 20,
    success: true,
    errorMsg: '',
    more: false,
    head: 2,
  });
  expect(answer['messages'][0]).toEqual(delivered);
  expect(answer['messages']).toMatchObject([
    { content: 'one', seq: 1, isItMe: false, fromUserId: ann.userId },
    { content: 'two', seq: 2, isItMe: true, fromUserId: ben.userId },
  ]);
});

it('without before and after begins with the newest', async () => {
  const { ann, group } = await groupWith(30);
  const answer = accepted(await ann.history(1, group, { limit: 10 }));
  expect(seqs(answer)).toEqual(range(21, 30));
  expect(answer).toMatchObject({ more: true, head: 30 });
});

it('before a seq gives those next below it', async () => {
  const { ann, group } = await groupWith(30);
  const answer = accepted(await ann.history(1, group, { before: 21, limit: 10 }));
  expect(seqs(answer)).toEqual(range(11, 20));
  expect(answer).toMatchObject({ more: true, head: 30 });
  const first = accepted(await ann.history(1, group, { before: 11, limit: 10 }));
  expect(seqs(first)).toEqual(range(1, 10));
  expect(first).toMatchObject({ more: false });
});

it('after a seq gives those next above it', async () => {
  const { ann, group } = await groupWith(30);
  const answer = accepted(await ann.history(1, group, { after: 5, limit: 10 }));
  expect(seqs(answer)).toEqual(range(6, 15));
  expect(answer).toMatchObject({ more: true, head: 30 });
  const last = accepted(await ann.history(1, group, { after: 20, limit: 10 }));
  expect(seqs(last)).toEqual(range(21, 30));
  expect(last).toMatchObject({ more: false });
});

it('beyond the ends is empty', async () => {
  const { ann, group } = await groupWith(3);
  expect(accepted(await ann.history(1, group, { after: 3 }))).toMatchObject({
    messages: [],
    more: false,
    head: 3,
  });
  expect(accepted(await ann.history(1, group, { after: 1e9 }))).toMatchObject({
    messages: [],
    more: false,
    head: 3,
  });
  expect(accepted(await ann.history(1, group, { before: 1 }))).toMatchObject({
    messages: [],
    more: false,
    head: 3,
  });
});

it('of a conversation without messages is empty', async () => {
  const ann = await starling.login(unique('ann'));
  expect(accepted(await ann.history(0, unique('ben')))).toMatchObject({ messages: [], more: false, head: 0 });
});

it('gives at most 200 at once', async () => {
  const { ann, group } = await groupWith(210, 'bytes');
  const answer = accepted(await ann.history(1, group, { limit: 200 }));
  expect(seqs(answer)).toEqual(range(11, 210));
  expect(answer).toMatchObject({ more: true });
  const excessive = await ann.history(1, group, { limit: 201 });
  if (excessive['success'] === true) expect(excessive['messages'].length).toBeLessThanOrEqual(200);
  else expectRefusal(excessive, 'INVALID_FIELD');
});

it.each([
  ['chatType', 9],
  ['chatType', undefined],
  ['chatId', undefined],
  ['chatId', { $gt: '' }],
  ['before', -1],
  ['before', '5'],
  ['after', 1.5],
  ['after', { $gt: 0 }],
  ['limit', 0],
  ['limit', -1],
  ['limit', 'all'],
])('is refused where %s is %j', async (field, value) => {
  const { ann, group } = await groupWith(1);
  expectRefusal(await ann.history(1, group, { [field]: value }), 'INVALID_FIELD');
});

it('is refused to strangers, of groups and of private chats', async () => {
  const { ann, group } = await groupWith(1);
  const [ben, eve] = [await starling.login(unique('ben')), await starling.login(unique('eve'))];
  accepted(await ann.sendTo(ben.userId, 'private'));
  expectRefusal(await eve.history(1, group), 'NOT_A_MEMBER');
  expect(accepted(await eve.history(0, ann.userId))['messages']).toEqual([]);
  expect(accepted(await eve.history(0, ben.userId))['messages']).toEqual([]);
});

it('survives a restart', async () => {
  const { ann, group } = await groupWith(5);
  const before = accepted(await ann.history(1, group));
  await starling.stop();
  await starling.start();
  const again = await starling.login(ann.userId);
  expect(accepted(await again.history(1, group))['messages']).toEqual(before['messages']);
  expect(accepted(await again.sendToGroup(group, 'goes on'))).toMatchObject({ seq: 6 });
});
