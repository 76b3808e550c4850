import { CloseReason } from '@starling/protocol';
import {
  accepted,
  type ChatClient,
  type Exit,
  startStarling,
  type Starling,
  unique,
} from '@starling/testing';

let starling: Starling;

beforeEach(async () => {
  starling = await startStarling({ env: { RECONNECT_WINDOW_MS: '3000' }, cluster: { gatewaysOnly: true } });
}, 90_000);
afterEach(() => starling.dispose());

it('tells clients when to come back, spread over the window, and closes them', async () => {
  const clients: ChatClient[] = [];
  for (let i = 0; i < 12; i++) {
    const form = (['object', 'frame', 'bytes'] as const)[i % 3]!;
    clients.push(await starling.login(unique('user'), { form }, { push: true }));
  }
  const old = await starling.loginBytes(unique('old'));
  const unbound = await starling.connectBytes(unique('unbound'));
  const exit = await starling.stop();
  expect(exit).toEqual({ code: 0, signal: null });
  const waits: number[] = [];
  for (const client of clients) {
    const push = client.packets.find(({ command }) => command === -14)!;
    expect(push).toMatchObject({ version: 1, code: CloseReason.SHUTDOWN.code, reconnect: 'later' });
    expect(push['retryAfterMs']).toBeGreaterThanOrEqual(0);
    expect(push['retryAfterMs']).toBeLessThanOrEqual(3000);
    waits.push(push['retryAfterMs']);
  }
  expect(new Set(waits).size).toBeGreaterThan(6);
  expect(old.closed!.code).toBe(CloseReason.SHUTDOWN.code);
  expect(old.packets.filter(({ command }) => command < 0)).toEqual([]);
  expect(unbound.closed!.code).toBe(CloseReason.SHUTDOWN.code);
});

it('under load answers or keeps what it took: what was acknowledged is there, once', async () => {
  const group = unique('group');
  const senders = await Promise.all([0, 1, 2].map(() => starling.login(unique('sender'))));
  for (const sender of senders) accepted(await sender.join(group));
  const acknowledged: string[] = [];
  let stopping: Promise<Exit> | undefined;
  const sending = senders.map(async (sender) => {
    for (let i = 0; ; i++) {
      const content = `${sender.userId} ${i}`;
      const answer = await sender.sendToGroup(group, content).catch(() => null);
      if (answer?.['success'] !== true) return;
      acknowledged.push(content);
      if (acknowledged.length === 100) stopping = starling.stop();
    }
  });
  await Promise.all(sending);
  expect(await stopping).toEqual({ code: 0, signal: null });
  await starling.start();
  const reader = await starling.login(senders[0]!.userId);
  const history = await reader.wholeHistory(1, group);
  const stored: string[] = history.map(({ content }) => content);
  expect(stored).toEqual(expect.arrayContaining(acknowledged));
  expect(new Set(stored).size).toBe(stored.length);
  expect(history.map(({ seq }) => seq)).toEqual(history.map((_, i) => i + 1));
}, 60_000);

// On a cluster what follows is about its first gateway.

it('is not held up by clients that read nothing', async () => {
  const reader = await starling.loginBytes(unique('reader'), { gateway: 0 });
  const polling = await starling.login(unique('polling'), { transport: 'polling', gateway: 0 });
  reader.pause();
  const begun = Date.now();
  starling.signal('SIGTERM');
  expect(await starling.waitForExit()).toEqual({ code: 0, signal: null });
  expect(Date.now() - begun).toBeLessThan(8000);
  reader.abort();
  await polling.waitForClose();
});

it('takes no new connections while it goes down, and a second signal changes nothing', async () => {
  starling.signal('SIGTERM');
  // Two that are sent at once may arrive as one.
  await starling.waitForLog('that it stops', ({ msg }) => msg === 'stopping');
  starling.signal('SIGTERM');
  expect(await starling.waitForExit()).toEqual({ code: 0, signal: null });
  await expect(starling.connectBytes(unique('late'), { gateway: 0 })).rejects.toThrow();
});

it('goes down on SIGINT too', async () => {
  starling.signal('SIGINT');
  expect(await starling.waitForExit()).toEqual({ code: 0, signal: null });
});
