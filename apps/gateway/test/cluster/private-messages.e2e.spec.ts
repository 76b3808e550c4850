import { accepted, type ChatClient, type Form, unique, useStarling } from '@starling/testing';

const starling = useStarling();

const FORMS: Form[] = ['object', 'frame', 'bytes'];
const MESSAGES = 30;

/** Where a user's connections are, by the index of the gateway. */
async function connections(user: string, gateways: readonly number[]): Promise<ChatClient[]> {
  return Promise.all(
    gateways.map((gateway, i) => starling.login(user, { gateway, form: FORMS[i % FORMS.length]! })),
  );
}

it.each<[string, number[], number[]]>([
  ['both users on one gateway', [0], [0]],
  ['both users on one gateway with several connections', [0, 0], [0, 0]],
  ['a gateway for each user', [0], [1]],
  ['one user on both gateways', [0, 1], [1]],
  ['both users on both gateways, twice', [0, 1, 0, 1], [1, 0, 1, 0]],
])('reach every connection of both users once and in order: %s', async (_, ofAnn, ofBen) => {
  const anns = await connections(unique('ann'), ofAnn);
  const bens = await connections(unique('ben'), ofBen);
  const [ann, ben] = [anns[0]!.userId, bens[0]!.userId];
  const answers = await Promise.all(
    Array.from({ length: MESSAGES }, (_, i) => {
      const [from, to] = i % 2 === 0 ? [anns, ben] : [bens, ann];
      return from[i % from.length]!.sendTo(to, `message ${i}`);
    }),
  );
  const order = answers.map(accepted).sort((a, b) => a['seq'] - b['seq']);
  expect(order.map(({ seq }) => seq)).toEqual(order.map((_, i) => i + 1));
  for (const connection of [...anns, ...bens]) {
    const due = order.filter((answer) => !connection.answers.has(answer));
    for (const { content } of due.slice(-1)) await connection.waitForMessage(content);
    expect(connection.delivered.map(({ seq }) => seq)).toEqual(due.map(({ seq }) => seq));
    expect(connection.delivered.map(({ isItMe }) => isItMe)).toEqual(
      due.map(({ fromUserId }) => fromUserId === connection.userId),
    );
  }
});

it('to oneself reach the own connections on both gateways once and in order', async () => {
  const anns = await connections(unique('ann'), [0, 1, 1]);
  const ann = anns[0]!.userId;
  for (let i = 0; i < 9; i++) accepted(await anns[i % 3]!.sendTo(ann, `note ${i}`));
  for (const [at, connection] of anns.entries()) {
    const due = Array.from({ length: 9 }, (_, i) => i).filter((i) => i % 3 !== at);
    await connection.waitForMessage(`note ${due.at(-1)}`);
    expect(connection.delivered.map(({ content }) => content)).toEqual(due.map((i) => `note ${i}`));
    expect(connection.delivered.every(({ isItMe }) => isItMe === true)).toBe(true);
  }
});
