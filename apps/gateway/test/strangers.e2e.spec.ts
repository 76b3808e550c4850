import { accepted, expectRefusal, fence, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

it.each(FORMS)('may not send to a group, nor receive of it (%s)', async (form) => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  const eve = await starling.login(unique('eve'), { form });
  const group = unique('group');
  accepted(await ann.join(group));
  accepted(await ben.join(group));
  const packet = eve.message(group, 1, 'from outside');
  const refusal = await eve.request(packet);
  expectRefusal(refusal, 'NOT_A_MEMBER');
  expect(refusal).toMatchObject({ content: 'from outside', hasBeenSentId: packet['hasBeenSentId'] });
  expect(accepted(await ann.sendToGroup(group, 'among us'))).toMatchObject({ seq: 1 });
  await ben.waitForMessage('among us');
  await fence(ann, eve);
  expect(ben.delivered).toHaveLength(1);
  expect(eve.delivered.map(({ content }) => content)).not.toContain('among us');
});

it('may not send to a group that does not exist, nor make it exist so', async () => {
  const eve = await starling.login(unique('eve'));
  const group = unique('nowhere');
  expectRefusal(await eve.sendToGroup(group, 'hello?'), 'NOT_A_MEMBER', 'GROUP_NOT_FOUND');
  expectRefusal(await eve.history(1, group), 'NOT_A_MEMBER', 'GROUP_NOT_FOUND');
});

it('receive nothing of a private chat, whatever chat they opened', async () => {
  const [ann, ben, eve] = [
    await starling.login(unique('ann')),
    await starling.login(unique('ben')),
    await starling.login(unique('eve'), { form: 'bytes' }),
  ];
  accepted(await eve.join(ann.userId, 0));
  accepted(await eve.join(ben.userId, 0));
  accepted(await ann.sendTo(ben.userId, 'between us'));
  await ben.waitForMessage('between us');
  await fence(ann, eve);
  expect(eve.delivered.map(({ content }) => content)).not.toContain('between us');
});

it('whose group has the name of a user are not that user', async () => {
  const [ann, ben, eve] = [
    await starling.login(unique('ann')),
    await starling.login(unique('ben')),
    await starling.login(unique('eve')),
  ];
  accepted(await eve.join(ben.userId, 1));
  accepted(await ann.sendTo(ben.userId, 'to the user'));
  accepted(await eve.sendToGroup(ben.userId, 'to the group'));
  await ben.waitForMessage('to the user');
  await fence(ann, eve);
  await fence(ann, ben);
  expect(eve.delivered.map(({ content }) => content)).not.toContain('to the user');
  expect(ben.delivered.map(({ content }) => content)).not.toContain('to the group');
});

// Pairs whose keys would be one if ids were only joined by a separator.
it.each([
  [
    ['a.b', 'c'],
    ['a', 'b.c'],
  ],
  [
    ['a:b', 'c'],
    ['a', 'b:c'],
  ],
  [
    ['x', 'y","z'],
    ['x","y', 'z'],
  ],
  [
    ['A', 'b'],
    ['a', 'B'],
  ],
] as const)(
  'have conversations of their own, however alike their names are: %j and %j',
  async (one, other) => {
    const name = unique('');
    const [a, b] = one.map((id) => id + name) as [string, string];
    const [c, d] = other.map((id) => id + name) as [string, string];
    const first = await starling.login(a);
    const second = await starling.login(c);
    const [third, fourth] = [await starling.login(b), await starling.login(d)];
    expect(accepted(await first.sendTo(b, 'one pair'))).toMatchObject({ seq: 1 });
    expect(accepted(await second.sendTo(d, 'other pair'))).toMatchObject({ seq: 1 });
    await third.waitForMessage('one pair');
    await fourth.waitForMessage('other pair');
    expect(third.delivered).toHaveLength(1);
    expect(fourth.delivered).toHaveLength(1);
  },
);
