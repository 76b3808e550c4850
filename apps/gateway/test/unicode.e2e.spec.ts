import {
  accepted,
  type ByteClient,
  encodeText,
  type Form,
  frame,
  unique,
  useStarling,
} from '@starling/testing';

const starling = useStarling({ cluster: { gatewaysOnly: true } });

const FORMS: Form[] = ['object', 'frame', 'bytes'];
const PAIRS = FORMS.flatMap((from) => FORMS.map((to) => [from, to] as const));

const TEXTS = [
  '😀',
  '👩‍👩‍👧‍👦 family, 🇩🇪 flag',
  '你好，世界',
  'Größe, e\u0301, \u202eright to left',
  '\u0000 \u0001 \u001f \u007f \u2028 \u2029 \ufeff \uffff',
  '\u{10ffff}\u{10000}',
];

describe.each(PAIRS)('from %s to %s', (from, to) => {
  it.each(TEXTS)('%j arrives as it was sent', async (text) => {
    const ann = await starling.login(unique('ann'), { form: from });
    const ben = await starling.login(unique('ben'), { form: to });
    expect(accepted(await ann.sendTo(ben.userId, text))).toMatchObject({ content: text });
    await ben.waitForMessage(text);
    const history = accepted(await ben.history(0, ann.userId));
    expect(history['messages']).toMatchObject([{ content: text }]);
  });
});

describe('on the byte endpoint', () => {
  it('a body in real UTF-8 is understood and answered in CESU-8', async () => {
    const ann = await starling.loginBytes(unique('ann'));
    const ben = await starling.loginBytes(unique('ben'));
    const packet = ann.message(ben.userId, 0, '😀 in four bytes');
    ann.transmitBytes(frame(1, 1, 3, Buffer.from(JSON.stringify(packet), 'utf8')));
    await ann.waitForMessage('😀 in four bytes');
    await ben.waitForMessage('😀 in four bytes');
  });

  it.each([
    ['high surrogate at the end', 'x\ud83d'],
    ['low surrogate at the beginning', '\ude00x'],
    ['two halves in the wrong order', 'x\ude00\ud83dx'],
    ['high surrogate before another pair', '\ud83d😀'],
  ])('an unpaired surrogate hurts nobody: %s', async (_, text) => {
    const ann = await starling.loginBytes(unique('ann'));
    const ben = await starling.login(unique('ben'));
    const cem = await starling.loginBytes(unique('cem'));
    const group = unique('group');
    for (const member of [ann, ben, cem]) accepted(await member.join(group));
    const id = sendRaw(ann, group, text);
    const isIt = ({ command, hasBeenSentId }: { command: number; hasBeenSentId?: unknown }) =>
      command === 4 && hasBeenSentId === id;
    const answer = accepted(await ann.waitFor('the answer', isIt));
    const received = await ben.waitFor('the message', isIt);
    expect([text, text.toWellFormed()]).toContain(received['content']);
    expect(received['content']).toBe(answer['content']);
    expect((await cem.waitFor('the message', isIt))['content']).toBe(answer['content']);
    const history = accepted(await cem.history(1, group));
    expect(history['messages']).toMatchObject([{ content: answer['content'] }]);
  });

  it.each([
    ['a continuation byte alone', Buffer.of(0x80)],
    ['a cut sequence', Buffer.of(0xe4, 0xbd)],
    ['an overlong slash', Buffer.of(0xc0, 0xaf)],
    ['a byte that never occurs', Buffer.of(0xff)],
    ['a code point beyond the last', Buffer.of(0xf4, 0x90, 0x80, 0x80)],
  ])('broken text is answered or replaced, never passed on as it is: %s', async (_, bytes) => {
    const ann = await starling.loginBytes(unique('ann'));
    const ben = await starling.loginBytes(unique('ben'));
    const packet = JSON.stringify(ann.message(ben.userId, 0, '@@'));
    const [before, after] = packet.split('@@') as [string, string];
    ann.transmitBytes(frame(1, 1, 3, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])));
    await ann.waitFor('an answer', ({ success }) => typeof success === 'boolean' && ann.packets.length > 1);
    accepted(await ann.sendTo(ben.userId, 'goes on'));
    // The receiver's decoder is strict: what it could not read would be a violation and fail this test.
    await ben.waitForMessage('goes on');
  });
});

/** Sends the text with its surrogates as bytes, not as JSON escapes; returns the message's id. */
function sendRaw(client: ByteClient, group: string, text: string): number {
  const packet = client.message(group, 1, '@@');
  client.transmitBytes(encodeText(1, 3, JSON.stringify(packet).replace('@@', text)));
  return packet['hasBeenSentId'] as number;
}
