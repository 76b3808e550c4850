import {
  accepted,
  type ChatClient,
  expectRefusal,
  type Form,
  type Packet,
  unique,
  useStarling,
} from '@starling/testing';

const starling = useStarling({ env: { PACKETS_BURST: '2000' }, cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];

async function sendMany(sender: ChatClient, group: string, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, i) => sender.sendToGroup(group, `message ${i + 1}`).then(accepted)),
  );
}

function conversation(answer: Packet, chatId: string): Packet | undefined {
  return answer['conversations'].find((found: Packet) => found['chatId'] === chatId);
}

function contents(messages: Packet[]): string[] {
  return messages.map(({ content }) => content);
}

it.each(FORMS)('gives everything that was missed while away, known before or not (%s)', async (form) => {
  const ann = await starling.login(unique('ann'));
  const [group, other] = [unique('group'), unique('group')];
  let ben = await starling.login(unique('ben'), { form });
  accepted(await ann.join(group));
  accepted(await ben.join(group));
  accepted(await ben.join(other));
  accepted(await ann.join(other));
  await sendMany(ann, group, 2);
  await ben.waitForMessage('message 2');
  await ben.close();

  accepted(await ann.sendToGroup(group, 'missed in the group'));
  accepted(await ann.sendToGroup(other, 'missed in the other'));
  accepted(await ann.sendTo(ben.userId, 'missed in private'));
  ben = await starling.login(ben.userId, { form });
  const answer = accepted(await ben.sync([{ chatType: 1, chatId: group, seq: 2 }]));
  expect(answer).toMatchObject({
    version: 1,
    command: 22,
    success: true,
    errorMsg: '',
    removed: [],
    cursor: null,
  });
  expect(conversation(answer, group)).toMatchObject({ chatType: 1, head: 3, more: false });
  expect(contents(conversation(answer, group)!['messages'])).toEqual(['missed in the group']);
  expect(contents(conversation(answer, other)!['messages'])).toEqual(['missed in the other']);
  const alone = conversation(answer, ann.userId)!;
  expect(alone).toMatchObject({ chatType: 0, head: 1, read: 0, unread: 1, more: false });
  expect(alone['messages']).toMatchObject([{ content: 'missed in private', isItMe: false, seq: 1 }]);
  expect(alone['last']).toMatchObject({ content: 'missed in private', seq: 1 });
});

it('and what arrives live leave nothing out and nothing double', async () => {
  const ann = await starling.login(unique('ann'), { form: 'bytes' });
  const group = unique('group');
  accepted(await ann.join(group));
  const ben = await starling.login(unique('ben'));
  accepted(await ben.join(group));
  await ben.close();
  const sending = sendMany(ann, group, 150);
  const back = await starling.login(ben.userId);
  const answer = accepted(await back.sync([{ chatType: 1, chatId: group, seq: 0 }]));
  await sending;
  accepted(await ann.sendToGroup(group, 'the last'));
  await back.waitForMessage('the last');
  const synced: number[] = conversation(answer, group)!['messages'].map(({ seq }: Packet) => seq);
  const live: number[] = back.shown.map(({ seq }) => seq);
  expect(synced).toEqual(synced.map((_, i) => i + 1));
  expect(live).toEqual([...live].sort((a, b) => a - b));
  expect(new Set(live).size).toBe(live.length);
  expect(new Set([...synced, ...live]).size).toBe(151);
});

it('gives messages up to the limit and says that there are more', async () => {
  const ann = await starling.login(unique('ann'));
  const group = unique('group');
  accepted(await ann.join(group));
  await sendMany(ann, group, 30);
  const answer = accepted(await ann.sync([{ chatType: 1, chatId: group, seq: 5 }], { limit: 10 }));
  const found = conversation(answer, group)!;
  expect(found['messages'].map(({ seq }: Packet) => seq)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  expect(found).toMatchObject({ head: 30, more: true });
  expect(found['last']).toMatchObject({ seq: 30 });
});

it('names conversations with nothing missing without their messages', async () => {
  const ann = await starling.login(unique('ann'));
  const group = unique('group');
  accepted(await ann.join(group));
  await sendMany(ann, group, 3);
  const answer = accepted(await ann.sync([{ chatType: 1, chatId: group, seq: 3 }]));
  const found = conversation(answer, group);
  if (found) expect(found).toMatchObject({ head: 3, messages: [], more: false });
});

it('names groups without messages', async () => {
  const ann = await starling.login(unique('ann'));
  const group = unique('group');
  accepted(await ann.join(group));
  expect(conversation(accepted(await ann.sync()), group)).toMatchObject({
    chatType: 1,
    head: 0,
    read: 0,
    unread: 0,
    last: null,
    messages: [],
    more: false,
  });
});

it('says which conversations the client has no longer, and gives nothing of them', async () => {
  const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
  const [quit, never] = [unique('group'), unique('group')];
  accepted(await ann.join(quit));
  accepted(await ann.join(never));
  accepted(await ben.join(quit));
  accepted(await ben.quit(quit));
  accepted(await ann.sendToGroup(quit, 'not for ben'));
  accepted(await ann.sendToGroup(never, 'not for ben'));
  const answer = accepted(
    await ben.sync([
      { chatType: 1, chatId: quit, seq: 0 },
      { chatType: 1, chatId: never, seq: 0 },
    ]),
  );
  expect(answer['removed']).toEqual(
    expect.arrayContaining([
      { chatType: 1, chatId: quit },
      { chatType: 1, chatId: never },
    ]),
  );
  expect(JSON.stringify(answer)).not.toContain('not for ben');
});

it('gives nothing of the private chats of others', async () => {
  const [ann, ben, eve] = [
    await starling.login(unique('ann')),
    await starling.login(unique('ben')),
    await starling.login(unique('eve')),
  ];
  accepted(await ann.sendTo(ben.userId, 'between us'));
  const answer = accepted(
    await eve.sync([
      { chatType: 0, chatId: ann.userId, seq: 0 },
      { chatType: 0, chatId: ben.userId, seq: 0 },
    ]),
  );
  expect(JSON.stringify(answer)).not.toContain('between us');
});

it('pages through many conversations, each once', async () => {
  const ann = await starling.login(unique('ann'), { form: 'bytes' });
  const chats: string[] = [];
  for (let i = 0; i < 130; i++) {
    const chat = unique('chat');
    chats.push(chat);
    if (i % 2 === 0) accepted(await ann.join(chat));
    accepted(await (i % 2 === 0 ? ann.sendToGroup(chat, `in ${chat}`) : ann.sendTo(chat, `in ${chat}`)));
  }
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const answer: Packet = accepted(await ann.sync([], { cursor, limit: 5 }));
    found.push(...answer['conversations'].map(({ chatId }: Packet) => chatId));
    cursor = answer['cursor'];
  } while (cursor !== null && found.length <= chats.length);
  expect([...found].sort()).toEqual([...chats].sort());
});

it.each([
  ['known', 'all'],
  ['known', [7]],
  ['known', [{ chatType: 1, chatId: { $gt: '' }, seq: 0 }]],
  ['known', [{ chatType: 1, chatId: 'a', seq: -1 }]],
  ['known', [{ chatType: 1, chatId: 'a', seq: { $gt: 0 } }]],
  ['limit', 0],
  ['cursor', { $gt: '' }],
  ['cursor', 'not one of ours'],
])('is refused where %s is %j', async (field, value) => {
  const ann = await starling.login(unique('ann'));
  expectRefusal(await ann.sync([], { [field]: value }), 'INVALID_FIELD');
});
