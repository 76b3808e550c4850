import { accepted, fence, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

it('tell a user’s other connections that they joined and quit', async () => {
  const ann = await starling.login(unique('ann'), {}, { push: true });
  const device = await starling.login(ann.userId, { form: 'bytes' }, { push: true });
  const group = unique('group');
  accepted(await ann.join(group));
  const added = await device.waitFor(
    'the push',
    ({ command, change }) => command === -12 && change === 'added',
  );
  expect(added).toMatchObject({ version: 1, chatType: 1, chatId: group, role: 'owner', by: ann.userId });
  accepted(await ann.quit(group));
  const removed = await device.waitFor(
    'the push',
    ({ command, change }) => command === -12 && change === 'removed',
  );
  expect(removed).toMatchObject({ chatType: 1, chatId: group, role: null, by: ann.userId });
  expect(removed['groupVersion']).toBeGreaterThan(added['groupVersion']);
});

it('tell nobody else, and no client that did not ask for pushes', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.login(unique('ben'), {}, { push: true });
  const group = unique('group');
  accepted(await ben.join(group));
  accepted(await ann.join(group));
  accepted(await ann.quit(group));
  await fence(ann, ben);
  await fence(ben, ann);
  const ofAnn = ben.packets.filter(({ command, by }) => command === -12 && by === ann.userId);
  expect(ofAnn).toEqual([]);
  expect(ann.packets.filter(({ command }) => command < 0)).toEqual([]);
});
