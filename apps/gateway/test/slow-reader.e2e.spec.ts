import { CloseReason } from '@starling/protocol';
import { accepted, type Form, unique, until, useStarling } from '@starling/testing';

const MB = 1 << 20;

const starling = useStarling({
  env: {
    MAX_OUTBOUND_BYTES: String(MB),
    MAX_PACKET_BYTES: '230000',
    PACKETS_PER_SECOND: '100000',
    PACKETS_BURST: '100000',
  },
});

const FORMS: Form[] = ['object', 'frame', 'bytes'];
const CONTENT = 'x'.repeat(200_000);
/** Per slow reader: many times what may wait, and more than the kernel's own buffers take. */
const MESSAGES = 150;
const SLOW = 12;

/** A new process grows with its first traffic, whoever reads it; what is measured begins after that. */
beforeAll(async () => {
  const group = unique('warm');
  const readers = await Promise.all(FORMS.map((form) => starling.login(unique('warm'), { form })));
  for (const reader of readers) accepted(await reader.join(group));
  for (let i = 0; i < MESSAGES; i++) accepted(await readers[0]!.sendToGroup(group, `${i} ${CONTENT}`));
  await starling.closeClients();
});

it.each(FORMS)('is closed, while memory stays bounded and others get everything (%s)', async (form) => {
  const sender = await starling.login(unique('sender'));
  const quick = await starling.login(unique('quick'), { form });
  const slow = await Promise.all(
    Array.from({ length: SLOW }, () => starling.login(unique('slow'), { form })),
  );
  const group = unique('group');
  for (const member of [sender, quick, ...slow]) accepted(await member.join(group));
  const closedBefore = await closedAsSlow();
  const before = await starling.residentBytes();
  for (const reader of slow) reader.pause();

  let peak = before;
  for (let i = 0; i < MESSAGES; i++) {
    accepted(await sender.sendToGroup(group, `${i} ${CONTENT}`));
    if (i % 10 === 0) peak = Math.max(peak, await starling.residentBytes());
    // On a machine that stands still for a moment it would be as slow as the others.
    if (i % 5 === 4) await quick.waitForMessage(`${i} ${CONTENT}`);
  }
  await quick.waitForMessage(`${MESSAGES - 1} ${CONTENT}`);
  expect(quick.shown.map(({ seq }) => seq)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i + 1));

  await until(
    'the slow readers to be closed',
    async () => (await closedAsSlow()) === closedBefore + slow.length,
  );
  for (const reader of slow) {
    reader.resume();
    await reader.waitForClose();
    if (form === 'bytes') expect([CloseReason.SLOW_READER.code, 1006]).toContain(reader.closed!.code);
    expect(reader.shown.map(({ seq }) => seq)).toEqual(reader.shown.map((_, i) => i + 1));
    expect(reader.shown.length).toBeLessThan(MESSAGES);
  }
  // The slow readers were owed 360 MB in all. What Node keeps for its own sake, in each gateway, is allowed for.
  expect(peak - before).toBeLessThan(90 * MB * starling.gateways.length);
});

it('that never reads answers is closed, too', async () => {
  const eve = await starling.loginBytes(unique('eve'));
  const group = unique('group');
  accepted(await eve.join(group));
  for (let i = 0; i < 20; i++) accepted(await eve.sendToGroup(group, `${i} ${CONTENT}`));
  const closedBefore = await closedAsSlow();
  eve.pause();
  await until('the connection to be closed', async () => {
    for (let i = 0; i < 5; i++)
      eve.transmit({ version: 1, command: 19, chatType: 1, chatId: group, limit: 20 });
    return (await closedAsSlow()) > closedBefore;
  });
  eve.abort();
  await starling.expectWell();
});

function closedAsSlow(): Promise<number> {
  return starling.metric('starling_connections_closed_total', { reason: 'SLOW_READER' });
}
