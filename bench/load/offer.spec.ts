import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { Crowd } from './crowd.js';
import { Offerer, type Load, type Offered } from './offer.js';

const CONNECTIONS = 12;
const GROUPS = 3;
const SIZE = 4;
const RATE: Load = { kind: 'rate', sendsPerSecond: 200 };

interface Message {
  readonly hasBeenSentId: number;
  readonly userId: string;
  readonly toUserId: string;
  readonly command: number;
}

/** Answers every packet; what it does with messages is each test's. */
class TinyServer {
  /** By group, in the order of joining. */
  readonly members = new Map<string, WebSocket[]>();
  readonly messages: Message[] = [];
  onMessage: (sender: WebSocket, message: Message) => void = (sender, message) => {
    this.deliver(sender, message);
    this.acknowledge(sender, message, true);
  };

  private constructor(private readonly http: Server) {
    const server = new WebSocketServer({ server: http });
    server.on('connection', (socket) => {
      socket.send('0{"sid":"x"}');
      socket.on('message', (data: Buffer) => this.take(socket, data.toString()));
    });
  }

  static async start(): Promise<TinyServer> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return new TinyServer(http);
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  deliver(sender: WebSocket, message: Message): void {
    for (const member of this.members.get(message.toUserId)!) {
      if (member !== sender) this.deliverTo(member, message);
    }
  }

  deliverTo(member: WebSocket, { hasBeenSentId }: Message): void {
    const packet = { version: 1, command: 4, isItMe: false, hasBeenSentId, content: 'x'.repeat(200) };
    member.send(`42["packet",${JSON.stringify(packet)}]`);
  }

  acknowledge(sender: WebSocket, { hasBeenSentId }: Message, success: boolean): void {
    sender.send(`43${hasBeenSentId}[${JSON.stringify({ version: 1, command: 4, success })}]`);
  }

  stop(): Promise<void> {
    this.http.closeAllConnections();
    return new Promise((resolve) => this.http.close(() => resolve()));
  }

  private take(socket: WebSocket, text: string): void {
    if (text === '40') return socket.send('40{"sid":"y"}');
    const [, ackId, json] = /^42(\d+)(\[.*)$/.exec(text)!;
    const [, packet] = JSON.parse(json!) as [string, Message & { chatId: string }];
    if (packet.command === 3) {
      expect(packet.hasBeenSentId).toBe(Number(ackId));
      this.messages.push(packet);
      return this.onMessage(socket, packet);
    }
    if (packet.command === 7) {
      this.members.set(packet.chatId, [...(this.members.get(packet.chatId) ?? []), socket]);
    }
    socket.send(`43${ackId}[{"success":true}]`);
  }
}

// The generator reads Linux's /proc.
(process.platform === 'linux' ? describe : describe.skip)('an offered load', () => {
  let server: TinyServer;
  let crowd: Crowd;
  let offerer: Offerer;

  beforeEach(async () => {
    server = await TinyServer.start();
    const target = { host: '127.0.0.1', port: server.port };
    crowd = new Crowd({
      name: 't',
      connections: CONNECTIONS,
      groups: GROUPS,
      groupsEach: 1,
      targets: [target],
    });
    await crowd.connect();
    await crowd.logIn();
    await crowd.join();
    offerer = new Offerer(crowd);
  });
  afterEach(async () => {
    crowd.disconnect();
    await server.stop();
  });

  const offer = (load: Load): Promise<Offered> =>
    offerer.offer({ load, leadMs: 50, countedMs: 400, pids: [process.pid], patienceMs: 500 });

  it('puts as many members into every group, each connection into one', () => {
    expect([...server.members.values()].map((members) => members.length)).toEqual([SIZE, SIZE, SIZE]);
    expect(new Set([...server.members.values()].flat()).size).toBe(CONNECTIONS);
  });

  it('keeps its rate, counts every delivery and acknowledgement, and misses none', async () => {
    const order = { load: RATE, leadMs: 0, countedMs: 1_000, pids: [process.pid], patienceMs: 500 };
    const { acknowledged, deliveries, countedMs, ...rest } = await offerer.offer(order);
    const sent = server.messages.length;
    // What is under way at the end is not counted; on a busy machine that may be some.
    expect(Math.abs(sent - 0.2 * countedMs)).toBeLessThan(40);
    expect(sent - acknowledged).toBeGreaterThanOrEqual(0);
    // What a machine that stood still made up for at the very end is not answered yet.
    const madeUp = 0.2 * rest.lateness.max;
    expect(sent - acknowledged).toBeLessThan(40 + madeUp);
    expect(Math.abs(deliveries - acknowledged * SIZE)).toBeLessThan((40 + madeUp) * SIZE);
    expect(rest).toMatchObject({ missing: 0, refused: 0, overrun: false });
  });

  it('sends every number once, by members of the group, and goes on counting in the next order', async () => {
    await offer(RATE);
    await offer({ kind: 'window', messages: 5 });
    const ids = server.messages.map(({ hasBeenSentId }) => hasBeenSentId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(100);
    for (const { userId, toUserId } of server.messages) {
      expect(Number(userId.slice(-5)) % GROUPS).toBe(Number(toUserId.slice(-4)));
    }
  });

  it('notices deliveries that are missing, and those that come twice', async () => {
    let left = 3;
    server.onMessage = (sender, message) => {
      const members = server.members.get(message.toUserId)!.filter((member) => member !== sender);
      // The first three messages go to one member too few, the fourth to one twice.
      const receivers = left > 0 ? members.slice(1) : left === 0 ? [...members, members[0]!] : members;
      left -= 1;
      for (const member of receivers) server.deliverTo(member, message);
      server.acknowledge(sender, message, true);
    };
    const { missing } = await offer(RATE);
    expect(missing).toBe(2);
  });

  it('counts refusals as that', async () => {
    let count = 0;
    server.onMessage = (sender, message) => {
      const success = count++ % 2 === 0;
      if (success) server.deliver(sender, message);
      server.acknowledge(sender, message, success);
    };
    const { refused, missing } = await offer(RATE);
    expect(refused).toBe(Math.floor(server.messages.length / 2));
    expect(missing).toBe(0);
  });

  it('never has more on their way than the window', async () => {
    let onTheirWay = 0;
    let most = 0;
    server.onMessage = (sender, message) => {
      most = Math.max(most, ++onTheirWay);
      setImmediate(() => {
        onTheirWay -= 1;
        server.deliver(sender, message);
        server.acknowledge(sender, message, true);
      });
    };
    const { missing } = await offer({ kind: 'window', messages: 5 });
    expect(most).toBe(5);
    expect(missing).toBe(0);
  });

  it('takes latencies from when messages were to be sent, however late they were', async () => {
    let stalled = false;
    server.onMessage = (sender, message) => {
      if (!stalled && server.messages.length === 20) {
        stalled = true;
        // The generator shares this process: it cannot send what is due meanwhile, which is most of all.
        for (const end = performance.now() + 300; performance.now() < end;);
      }
      server.deliver(sender, message);
      server.acknowledge(sender, message, true);
    };
    const { ackLatency, deliveryLatency, lateness } = await offer(RATE);
    for (const { p50, max } of [ackLatency, deliveryLatency, lateness]) {
      expect(max).toBeGreaterThan(250);
      expect(p50).toBeGreaterThan(50);
    }
    // Never less than what the generator itself was late, but for the precision of the summaries.
    expect(ackLatency.p50).toBeGreaterThan(0.97 * lateness.p50);
  });

  it('gives up on a server that falls far behind', async () => {
    const waiting: (() => void)[] = [];
    server.onMessage = (sender, message) => {
      waiting.push(() => {
        server.deliver(sender, message);
        server.acknowledge(sender, message, true);
      });
    };
    const late = setTimeout(() => waiting.splice(0).forEach((answer) => answer()), 2_600);
    const order = { load: RATE, leadMs: 0, countedMs: 2_500, pids: [], patienceMs: 500 };
    const { overrun, missing } = await offerer.offer(order);
    clearTimeout(late);
    expect({ overrun, missing }).toEqual({ overrun: true, missing: 0 });
    expect(server.messages.length).toBe(401);
  });

  it('fails when a connection is lost', async () => {
    server.onMessage = (sender) => sender.close();
    await expect(offer(RATE)).rejects.toThrow('a connection was lost: t-user-');
  });
});
