import { accepted, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

it.each(FORMS)("get the sender's copy with isItMe true, once, of private messages (%s)", async (form) => {
  const sender = await starling.login(unique('ann'), { form });
  const device = await starling.login(sender.userId, { form });
  const ben = await starling.login(unique('ben'), { form });
  const answer = accepted(await sender.sendTo(ben.userId, 'from my desk'));
  expect(await device.waitForMessage('from my desk')).toEqual({ ...answer, isItMe: true });
  expect(await ben.waitForMessage('from my desk')).toMatchObject({ isItMe: false });
  accepted(await ben.sendTo(sender.userId, 'to both'));
  await sender.waitForMessage('to both');
  await device.waitForMessage('to both');
  expect(sender.delivered.map(({ content }) => content)).toEqual(['to both']);
  expect(device.delivered.map(({ content }) => content)).toEqual(['from my desk', 'to both']);
});

it('get it of group messages', async () => {
  const sender = await starling.login(unique('ann'));
  const device = await starling.login(sender.userId, { form: 'bytes' });
  const group = unique('group');
  accepted(await sender.join(group));
  const answer = accepted(await sender.sendToGroup(group, 'from my desk'));
  expect(await device.waitForMessage('from my desk')).toEqual({ ...answer, isItMe: true });
  accepted(await device.sendToGroup(group, 'from my phone'));
  expect(await sender.waitForMessage('from my phone')).toMatchObject({ isItMe: true, seq: 2 });
});

it('get it of messages to oneself', async () => {
  const sender = await starling.login(unique('ann'));
  const device = await starling.login(sender.userId, { form: 'bytes' });
  const answer = accepted(await sender.sendTo(sender.userId, 'a note'));
  expect(await device.waitForMessage('a note')).toEqual({ ...answer, isItMe: true });
  accepted(await sender.sendTo(sender.userId, 'another'));
  await device.waitForMessage('another');
  expect(device.delivered).toHaveLength(2);
  expect(sender.delivered).toEqual([]);
});

it('of both users all get every private message once, in one order', async () => {
  const [ann, ben] = [unique('ann'), unique('ben')];
  const anns = await Promise.all(FORMS.map((form) => starling.login(ann, { form })));
  const bens = await Promise.all(FORMS.map((form) => starling.login(ben, { form })));
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) => {
      const sender = (i % 2 === 0 ? anns : bens)[i % 3]!;
      return sender.sendTo(i % 2 === 0 ? ben : ann, `message ${i}`);
    }),
  );
  const order = answers.map(accepted).sort((a, b) => a['seq'] - b['seq']);
  for (const device of [...anns, ...bens]) {
    const foreign = order.filter((answer) => !device.answers.has(answer));
    await device.waitForMessage(foreign.at(-1)!['content']);
    expect(device.delivered.map(({ seq }) => seq)).toEqual(foreign.map(({ seq }) => seq));
  }
});

it('that come later get only what comes later', async () => {
  const first = await starling.login(unique('ann'));
  accepted(await first.sendTo(unique('ben'), 'before'));
  const late = await starling.login(first.userId);
  accepted(await first.sendTo(unique('ben'), 'after'));
  await late.waitForMessage('after');
  expect(late.delivered.map(({ content }) => content)).toEqual(['after']);
});
