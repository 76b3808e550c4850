import { once } from 'node:events';
import {
  accepted,
  type ByteClient,
  type ChatClient,
  fence,
  PATIENCE_MS,
  Starling,
  unique,
  until,
  useStarling,
} from '@starling/testing';

/**
 * Who closes and comes back to another gateway at once may be there before the store knows what was shown here: then it is
 * shown again, as after an abrupt end.
 */
const HERE = { gateway: 0 };

/** The original client: byte frames, neither history nor sync. */
const starling = useStarling({ env: { REPLAY_MAX_MESSAGES: '20' } });

function contents(client: ChatClient): string[] {
  return client.delivered.map(({ content }) => content);
}

async function group(...members: ChatClient[]): Promise<string> {
  const id = unique('group');
  for (const member of members) accepted(await member.join(id));
  return id;
}

async function sendMany(sender: ChatClient, groupId: string, from: number, to: number): Promise<string[]> {
  const sent: string[] = [];
  for (let i = from; i <= to; i++) {
    accepted(await sender.sendToGroup(groupId, `message ${i}`));
    sent.push(`message ${i}`);
  }
  return sent;
}

/**
 * Everything sent so far has arrived, the server knows it from pings, about one in a second, and their pongs, and has
 * begun to save it: with the second ping it saves what the first one confirmed.
 */
async function caughtUp(sender: ChatClient, reader: ByteClient): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await fence(sender, reader);
    await once(reader.socket, 'ping', { signal: AbortSignal.timeout(PATIENCE_MS) });
    await reader.heartbeat();
  }
}

it('shows a client that was away what it missed, in order, before anything newer', async () => {
  const ann = await starling.login(unique('ann'));
  let ben = await starling.loginBytes(unique('ben'), HERE);
  const id = await group(ann, ben);
  await sendMany(ann, id, 1, 3);
  await fence(ann, ben);
  await ben.close();
  const missed = await sendMany(ann, id, 4, 8);
  accepted(await ann.sendTo(ben.userId, 'in private'));

  ben = await starling.loginBytes(ben.userId, HERE);
  accepted(await ann.sendToGroup(id, 'live'));
  await ben.waitForMessage('live');
  await ben.waitForMessage('in private');
  expect(contents(ben).filter((content) => content !== 'in private')).toEqual([...missed, 'live']);
  expect(contents(ben).filter((content) => content === 'in private')).toHaveLength(1);
  for (const packet of ben.delivered)
    expect(packet).toMatchObject({ command: 4, isItMe: false, success: true });
});

it('shows an only message of a private chat that the client never saw', async () => {
  const ben = await starling.loginBytes(unique('ben'), HERE);
  await ben.heartbeat();
  await ben.close();
  const ann = await starling.login(unique('ann'));
  accepted(await ann.sendTo(ben.userId, 'who are you?'));
  const back = await starling.loginBytes(ben.userId, HERE);
  expect(await back.waitForMessage('who are you?')).toMatchObject({ fromUserId: ann.userId, seq: 1 });
});

it('shows nothing again to a client that missed nothing', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.loginBytes(unique('ben'), HERE);
  const id = await group(ann, ben);
  await sendMany(ann, id, 1, 5);
  await fence(ann, ben);
  await ben.close();
  const back = await starling.loginBytes(ben.userId, HERE);
  await fence(ann, back);
  expect(contents(back).filter((content) => content.startsWith('message'))).toEqual([]);
});

it('shows nothing old at the first login', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = unique('ben');
  accepted(await ann.sendTo(ben, 'before ben was here'));
  const first = await starling.loginBytes(ben);
  await fence(ann, first);
  expect(contents(first)).not.toContain('before ben was here');
});

it('leaves nothing out and shows nothing twice over an abrupt end', async () => {
  const ann = await starling.login(unique('ann'));
  let ben = await starling.loginBytes(unique('ben'));
  const id = await group(ann, ben);
  const seen: string[] = [];
  let sent: string[] = [];
  for (let round = 0; round < 3; round++) {
    sent = [...sent, ...(await sendMany(ann, id, round * 4, round * 4 + 1))];
    await caughtUp(ann, ben);
    seen.push(...contents(ben));
    ben.abort();
    sent = [...sent, ...(await sendMany(ann, id, round * 4 + 2, round * 4 + 3))];
    ben = await starling.loginBytes(ben.userId);
  }
  await ben.waitForMessage(sent.at(-1)!);
  await fence(ann, ben);
  seen.push(...contents(ben));
  expect(seen.filter((content) => content.startsWith('message'))).toEqual(sent);
});

it('leaves nothing out when the end cuts what was under way', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.loginBytes(unique('ben'));
  const id = await group(ann, ben);
  await sendMany(ann, id, 1, 3);
  await caughtUp(ann, ben);
  ben.pause();
  const cut = await sendMany(ann, id, 4, 9);
  ben.abort();
  const seen = contents(ben);
  const back = await starling.loginBytes(ben.userId);
  await back.waitForMessage('message 9');
  for (const content of cut) expect([...seen, ...contents(back)]).toContain(content);
  const replayed = contents(back).filter((content) => content.startsWith('message'));
  expect(replayed).toEqual([...replayed].sort());
});

it('is capped: the newest are kept', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.loginBytes(unique('ben'), HERE);
  const id = await group(ann, ben);
  await caughtUp(ann, ben);
  await ben.close();
  const sent = await sendMany(ann, id, 1, 50);
  const back = await starling.loginBytes(ben.userId, HERE);
  await back.waitForMessage('message 50');
  expect(contents(back)).toEqual(sent.slice(-20));
});

it('does not show what was written in a group after the user left it', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.loginBytes(unique('ben'), HERE);
  const id = await group(ann, ben);
  accepted(await ben.quit(id));
  await ben.close();
  await sendMany(ann, id, 1, 3);
  const back = await starling.loginBytes(ben.userId, HERE);
  await fence(ann, back);
  expect(contents(back).filter((content) => content.startsWith('message'))).toEqual([]);
});

it('is not for clients that ask for history or sync themselves', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.login(unique('ben'));
  const id = await group(ann, ben);
  accepted(await ben.sync());
  await ben.close();
  await sendMany(ann, id, 1, 3);
  const back = await starling.login(ben.userId);
  await fence(ann, back);
  expect(contents(back).filter((content) => content.startsWith('message'))).toEqual([]);
});

it('survives the end of the server', async () => {
  const ann = await starling.login(unique('ann'));
  const ben = await starling.loginBytes(unique('ben'), HERE);
  const id = await group(ann, ben);
  await sendMany(ann, id, 1, 2);
  await fence(ann, ben);
  await ben.close();
  const missed = await sendMany(ann, id, 3, 4);
  await starling.stop();
  await starling.start();
  const back = await starling.loginBytes(ben.userId, HERE);
  await back.waitForMessage('message 4');
  expect(contents(back).filter((content) => content.startsWith('message'))).toEqual(missed);
});

it('ends with the lease', async () => {
  const short = new Starling({ cluster: { gatewaysOnly: true } });
  await short.start({ REPLAY_LEASE_MS: '300' });
  try {
    const group = unique('group');
    const ann = await short.login(unique('ann'));
    const ben = await short.loginBytes(unique('ben'));
    accepted(await ann.join(group));
    accepted(await ben.join(group));
    await caughtUp(ann, ben);
    await ben.close();
    accepted(await ann.sendToGroup(group, 'too long ago'));
    const over = Date.now() + 3000;
    await until('the end of the lease', () => Date.now() > over);
    const back = await short.loginBytes(ben.userId);
    await fence(ann, back);
    expect(contents(back)).not.toContain('too long ago');
  } finally {
    await short.dispose();
  }
});
