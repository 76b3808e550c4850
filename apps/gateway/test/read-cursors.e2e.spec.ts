import { accepted, expectRefusal, fence, unique, useStarling } from '@starling/testing';

const starling = useStarling();

async function annAndBen(messages: number) {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.login(unique('ben'), {}, { push: true });
  for (let i = 0; i < messages; i++) accepted(await ann.sendTo(ben.userId, `message ${i + 1}`));
  return { ann, ben };
}

it('move up and never back', async () => {
  const { ann, ben } = await annAndBen(5);
  expect(accepted(await ben.read(0, ann.userId, 2))).toMatchObject({
    version: 1,
    command: 24,
    errorMsg: '',
    chatType: 0,
    chatId: ann.userId,
    seq: 2,
  });
  expect(accepted(await ben.read(0, ann.userId, 4))).toMatchObject({ seq: 4 });
  expect(accepted(await ben.read(0, ann.userId, 1))).toMatchObject({ seq: 4 });
});

it('stop at the head', async () => {
  const { ann, ben } = await annAndBen(3);
  expect(accepted(await ben.read(0, ann.userId, 1_000_000))).toMatchObject({ seq: 3 });
  accepted(await ann.sendTo(ben.userId, 'unread'));
  const answer = accepted(await ben.sync());
  expect(answer['conversations']).toMatchObject([{ chatId: ann.userId, head: 4, read: 3, unread: 1 }]);
});

it("reach the user's other connections that take pushes, once each time they move", async () => {
  const { ann, ben } = await annAndBen(3);
  const second = await starling.login(ben.userId, { form: 'bytes' }, { push: true });
  const old = await starling.login(ben.userId, { form: 'bytes' });
  accepted(await ben.read(0, ann.userId, 2));
  const push = await second.waitFor('push -16', ({ command }) => command === -16);
  expect(push).toEqual({ version: 1, command: -16, chatType: 0, chatId: ann.userId, seq: 2 });
  accepted(await ben.read(0, ann.userId, 1));
  accepted(await ben.read(0, ann.userId, 3));
  await second.waitFor('the next push', ({ command, seq }) => command === -16 && seq === 3);
  expect(second.packets.filter(({ command }) => command === -16)).toHaveLength(2);
  await fence(ann, old);
  for (const client of [ben, old, ann]) {
    expect(client.packets.filter(({ command }) => command === -16)).toEqual([]);
  }
});

it('are each user’s own', async () => {
  const { ann, ben } = await annAndBen(3);
  accepted(await ben.read(0, ann.userId, 3));
  const [own] = accepted(await ann.sync())['conversations'];
  expect(own).toMatchObject({ chatId: ben.userId, head: 3, read: 0 });
});

it('work in groups, for members only', async () => {
  const { ann, ben } = await annAndBen(0);
  const group = unique('group');
  accepted(await ann.join(group));
  accepted(await ann.sendToGroup(group, 'one'));
  expectRefusal(await ben.read(1, group, 1), 'NOT_A_MEMBER');
  accepted(await ben.join(group));
  expect(accepted(await ben.read(1, group, 1))).toMatchObject({ chatType: 1, chatId: group, seq: 1 });
});

it('survive a restart', async () => {
  const { ann, ben } = await annAndBen(3);
  accepted(await ben.read(0, ann.userId, 2));
  await starling.stop();
  await starling.start();
  const again = await starling.login(ben.userId);
  expect(accepted(await again.read(0, ann.userId, 1))).toMatchObject({ seq: 2 });
});

it.each([
  ['seq', -1],
  ['seq', '1'],
  ['seq', 1.5],
  ['seq', { $gt: 0 }],
  ['chatId', undefined],
  ['chatType', 3],
])('are refused where %s is %j', async (field, value) => {
  const { ann, ben } = await annAndBen(1);
  const packet = { version: 1, command: 23, chatType: 0, chatId: ann.userId, seq: 1, [field]: value };
  expectRefusal(await ben.request(packet), 'INVALID_FIELD');
});
