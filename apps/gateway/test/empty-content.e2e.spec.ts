import { accepted, expectRefusal, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

it.each(FORMS)('is answered to its sender and goes nowhere else (%s)', async (form) => {
  const ann = await starling.login(unique('ann'), { form });
  const device = await starling.login(ann.userId, { form });
  const ben = await starling.login(unique('ben'), { form });
  const packet = ann.message(ben.userId, 0, '');
  const answer = accepted(await ann.request(packet));
  expect(answer).toMatchObject({
    command: 4,
    isItMe: true,
    content: '',
    hasBeenSentId: packet['hasBeenSentId'],
  });
  expect(answer).not.toHaveProperty('seq');
  expect(accepted(await ann.sendTo(ben.userId, 'the first'))).toMatchObject({ seq: 1 });
  await ben.waitForMessage('the first');
  await device.waitForMessage('the first');
  expect(ben.delivered).toHaveLength(1);
  expect(device.delivered).toHaveLength(1);
  const history = accepted(await ben.history(0, ann.userId));
  expect(history['messages']).toMatchObject([{ content: 'the first', seq: 1 }]);
});

it('in a group is answered to its sender and goes nowhere else', async () => {
  const [ann, ben] = [
    await starling.login(unique('ann'), { form: 'bytes' }),
    await starling.login(unique('ben')),
  ];
  const group = unique('group');
  accepted(await ann.join(group));
  accepted(await ben.join(group));
  accepted(await ann.sendToGroup(group, ''));
  expect(accepted(await ann.sendToGroup(group, 'the first'))).toMatchObject({ seq: 1 });
  await ben.waitForMessage('the first');
  expect(ben.delivered).toHaveLength(1);
});

it('with an id that another message used leaves that message alone', async () => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  const packet = ann.message(ben.userId, 0, 'text');
  accepted(await ann.request({ ...packet, content: '' }));
  expect(accepted(await ann.request(packet))).toMatchObject({ seq: 1 });
  await ben.waitForMessage('text');
});

it('lets no forger through', async () => {
  const [ann, eve] = [await starling.login(unique('ann')), await starling.login(unique('eve'))];
  expectRefusal(await eve.sendTo(ann.userId, '', { fromUserId: ann.userId }), 'NOT_THE_BOUND_USER');
});
