import { loadConfig } from '@starling/config';
import { Command, Refusal } from '@starling/protocol';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { GatewayMetrics } from '../connection/gateway-metrics.js';
import type { ReceivedPacket } from '../connection/received-packet.js';
import type { Session } from '../connection/session.js';
import { Dispatch } from './dispatch.js';

const SESSION: Session = {
  sessionId: 's',
  userId: 'ann',
  device: null,
  since: 0,
  pushes: false,
  syncs: false,
};

interface Options {
  session?: Session | null;
  acknowledged?: boolean;
}

interface Handler {
  handle: jest.Mock;
}

describe('Dispatch', () => {
  let dispatch: Dispatch;
  let metrics: GatewayMetrics;
  let handlers: Map<number, Handler>;
  let logged: { err?: { message: string }; msg: string }[];
  let answers: Record<string, unknown>[];

  beforeEach(() => {
    metrics = new GatewayMetrics(new Registry());
    handlers = new Map();
    logged = [];
    answers = [];
    const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
    const ofCommand = (command: number): never => {
      const handler = { command, lane: 'submit', handle: jest.fn() };
      handlers.set(command, handler);
      return handler as never;
    };
    dispatch = new Dispatch(
      loadConfig({}),
      logger,
      metrics,
      {} as never,
      ofCommand(Command.Bind),
      ofCommand(Command.Heartbeat),
      ofCommand(Command.SendMessage),
      ofCommand(Command.Unbind),
      ofCommand(Command.JoinGroup),
      ofCommand(Command.QuitGroup),
      ofCommand(Command.Signal),
      ofCommand(Command.History),
      ofCommand(Command.Sync),
      ofCommand(Command.Read),
    );
  });

  async function receive(
    packet: Record<string, unknown>,
    { session = SESSION, acknowledged = false }: Options = {},
  ): Promise<void> {
    const received = {
      connection: { id: 'c', session },
      command: typeof packet['command'] === 'number' ? packet['command'] : 0,
      packet,
      receivedAt: 0,
      acknowledged,
      answer: (text: string) => void answers.push(JSON.parse(text)),
    };
    await dispatch.receive(received as unknown as ReceivedPacket);
  }

  const join = { version: 1, command: 7, chatId: 'team', chatType: 1 };

  it('gives a packet to the handler of its command, with the session', async () => {
    await receive(join);
    expect(handlers.get(7)!.handle).toHaveBeenCalledWith(expect.anything(), join, SESSION);
    expect(answers).toEqual([]);
  });

  it('lets only login and heartbeat through before login', async () => {
    const packets = [
      join,
      { ...join, command: 9 },
      {
        version: 1,
        command: 3,
        contentType: 0,
        content: 'x',
        hasBeenSentId: 1,
        toUserId: 'ben',
        chatType: 0,
      },
      { version: 1, command: 5 },
      { version: 1, command: 19, chatType: 0, chatId: 'ben' },
      { version: 1, command: 21 },
      { version: 1, command: 23, chatType: 0, chatId: 'ben', seq: 1 },
    ];
    for (const packet of packets) await receive(packet, { session: null });
    expect(answers.map(({ errorCode }) => errorCode)).toEqual(packets.map(() => 2001));
    await receive({ version: 1, command: 1, userId: 'ann' }, { session: null });
    await receive({ version: 1, command: 17 }, { session: null });
    expect(
      [...handlers].filter(([, { handle }]) => handle.mock.calls.length > 0).map(([command]) => command),
    ).toEqual([1, 17]);
  });

  it.each([
    [{ version: 1, command: 11 }, 12, 1008],
    [{ version: 1, command: 9999 }, 0, 1008],
    [{ version: 2, command: 7 }, 8, 1010],
    [{ command: 7 }, 8, 1004],
    [{ version: 1 }, 0, 1004],
    [{ ...join, chatId: { $gt: '' } }, 8, 1009],
    [{ ...join, chatType: 2 }, 8, 1009],
  ])('refuses %j', async (packet, command, errorCode) => {
    await receive(packet);
    expect(answers).toEqual([expect.objectContaining({ command, success: false, errorCode })]);
  });

  it('answers a handler’s refusal as such, also one that comes later', async () => {
    handlers.get(7)!.handle.mockImplementationOnce(() => {
      throw new Refusal('GROUP_NOT_OPEN');
    });
    await receive(join);
    handlers.get(7)!.handle.mockRejectedValueOnce(new Refusal('GROUP_NOT_FOUND'));
    await receive(join);
    expect(answers).toEqual([
      expect.objectContaining({ command: 8, errorCode: 3003, chatId: 'team' }),
      expect.objectContaining({ command: 8, errorCode: 3002, chatId: 'team' }),
    ]);
    expect(logged).toEqual([]);
  });

  it('logs what is no refusal, and tells the client nothing of it', async () => {
    handlers.get(7)!.handle.mockRejectedValueOnce(new Error('secret detail at store.ts:7'));
    await receive(join);
    expect(JSON.stringify(answers)).not.toContain('secret');
    expect(answers[0]).toMatchObject({ errorCode: 6001 });
    expect(logged[0]!.err!.message).toContain('secret detail');
  });

  it('tells of a refused signal only who waits for it: webim.js would refresh', async () => {
    const signal = { version: 1, command: -9, code: 'x' };
    await receive(signal);
    expect(answers).toEqual([]);
    await receive(signal, { acknowledged: true });
    expect(answers[0]).toMatchObject({ command: -10, errorCode: 1009 });
  });

  it('counts by command and result, under few names whatever comes', async () => {
    await receive(join);
    handlers.get(7)!.handle.mockResolvedValueOnce('NOT_A_MEMBER');
    await receive(join);
    for (let i = 0; i < 50; i++) await receive({ version: 1, command: 1000 + i });
    const { values } = await metrics.packets.get();
    expect(values.map(({ labels, value }) => [labels.command, labels.result, value])).toEqual([
      ['JoinGroup', 'ok', 1],
      ['JoinGroup', 'NOT_A_MEMBER', 1],
      ['unknown', 'UNKNOWN_COMMAND', 50],
    ]);
  });
});
