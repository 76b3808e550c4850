import { accepted, expectRefusal, fence, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

it.each(FORMS)(
  'of a private chat reach the other user, naming the chat as that user does (%s)',
  async (form) => {
    const ann = await starling.login(unique('ann'), { form });
    const ben = await starling.login(unique('ben'), { form });
    const cem = await starling.login(unique('cem'), { form });
    ann.signal(1, ben.userId, 0);
    const push = await ben.waitFor('push -10', ({ command }) => command === -10);
    expect(push).toMatchObject({ version: 1, command: -10, code: 1, eventObj: 0 });
    expect([ann.userId, ben.userId]).toContain(push['eventValue']);
    await fence(ann, cem);
    expect(cem.packets.filter(({ command }) => command === -10)).toEqual([]);
  },
);

it('of a group reach its other members', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.login(unique('ben'), { form: 'bytes' });
  const eve = await starling.login(unique('eve'), { form: 'bytes' });
  const group = unique('group');
  accepted(await ann.join(group));
  accepted(await ben.join(group));
  ann.signal(1, group, 1);
  const push = await ben.waitFor('push -10', ({ command }) => command === -10);
  expect(push).toMatchObject({ code: 1, eventValue: group, eventObj: 1 });
  await fence(ann, eve);
  expect(eve.packets.filter(({ command }) => command === -10)).toEqual([]);
});

it('of a stranger reach nobody in the group', async () => {
  const [ann, eve] = [await starling.login(unique('ann')), await starling.login(unique('eve'))];
  const group = unique('group');
  accepted(await ann.join(group));
  eve.signal(1, group, 1);
  await fence(eve, ann);
  expect(ann.packets.filter(({ command }) => command === -10)).toEqual([]);
});

it('after login, with nulls, hurt nobody', async () => {
  const ann = await starling.login(unique('ann'), { form: 'bytes' });
  ann.signal(6);
  accepted(await ann.sendTo(ann.userId, 'goes on'));
  expect(ann.packets.filter(({ success }) => success === false)).toEqual([]);
});

it.each([
  ['code', undefined],
  ['code', '1'],
  ['code', { $gt: 0 }],
])('are refused where %s is %j', async (field, value) => {
  const ann = await starling.login(unique('ann'));
  ann.transmit({ version: 1, command: -9, code: 1, eventValue: null, eventObj: null, [field]: value });
  expectRefusal(await ann.waitFor('a refusal', ({ success }) => success === false), 'INVALID_FIELD');
});
