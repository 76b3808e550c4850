import { accepted, expectRefusal, fence, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

describe.each(FORMS)('%s', (form) => {
  it.each(['fromUserId', 'userId'])(
    'a message with somebody else’s %s is refused and goes nowhere',
    async (field) => {
      const ann = await starling.login(unique('ann'), { form });
      const [ben, victim] = [await starling.login(unique('ben')), await starling.login(unique('victim'))];
      const packet = ann.message(ben.userId, 0, 'forged', { [field]: victim.userId });
      const answer = await ann.request(packet);
      expectRefusal(answer, 'NOT_THE_BOUND_USER');
      // Or webim.js would show the refused message as one of somebody else.
      expect(answer).toMatchObject({ fromUserId: ann.userId, content: 'forged', toUserId: ben.userId });
      await fence(ann, ben);
      await fence(ann, victim);
      for (const client of [ben, victim]) {
        expect(client.delivered.filter(({ content }) => content === 'forged')).toEqual([]);
      }
      expect(accepted(await ben.history(0, victim.userId))['messages']).toEqual([]);
    },
  );
});

it.each([
  ['a number', 7],
  ['an object', { $gt: '' }],
])('a message whose fromUserId is %s is refused', async (_, fromUserId) => {
  const ann = await starling.login(unique('ann'));
  const answer = await ann.request(ann.message(unique('ben'), 0, 'forged', { fromUserId }));
  expectRefusal(answer, 'INVALID_FIELD', 'NOT_THE_BOUND_USER');
  expect(answer).toMatchObject({ fromUserId: ann.userId });
});

it('a forger in a group is refused, and the group sees nothing of it', async () => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  const group = unique('group');
  accepted(await ann.join(group));
  accepted(await ben.join(group));
  expectRefusal(await ann.sendToGroup(group, 'forged', { fromUserId: ben.userId }), 'NOT_THE_BOUND_USER');
  expect(accepted(await ann.sendToGroup(group, 'honest'))).toMatchObject({ seq: 1 });
  await ben.waitForMessage('honest');
  expect(ben.delivered).toHaveLength(1);
});
