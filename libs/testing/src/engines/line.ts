import { connect, createServer, type Server, type Socket } from 'node:net';

/** Which bytes of the connections are not passed on any more. */
type Direction = 'to the engine' | 'from the engine';

/** What leads to an engine over TCP, for tests that disturb it and not the engine. */
export class Line {
  private readonly pairs = new Map<Socket, Socket>();
  private readonly silent = new Set<Direction>();
  private isRefusing = false;

  private constructor(
    private readonly server: Server,
    private readonly engineUrl: string,
  ) {
    server.on('connection', (client) => this.take(client));
  }

  static async to(engineUrl: string): Promise<Line> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    return new Line(server, engineUrl);
  }

  /** The engine's, by way of this line. */
  get url(): string {
    const url = new URL(this.engineUrl);
    url.port = String(this.port);
    return url.href.replace(/\/$/, '');
  }

  /** Connections that it carries now. */
  get count(): number {
    return this.pairs.size;
  }

  /** Ends all connections without a goodbye. Those who come back are served, unless it refuses them. */
  cut(): void {
    for (const [client, engine] of this.pairs) {
      client.resetAndDestroy();
      engine.resetAndDestroy();
    }
  }

  /** New connections are ended at once, until `accept`. */
  refuse(): void {
    this.isRefusing = true;
  }

  accept(): void {
    this.isRefusing = false;
  }

  /** Nothing passes in that direction, on no connection, and nobody is told, until `resume`, which passes it all on. */
  silence(direction: Direction): void {
    this.silent.add(direction);
    for (const [client, engine] of this.pairs) this.join(client, engine);
  }

  resume(): void {
    this.silent.clear();
    for (const [client, engine] of this.pairs) this.join(client, engine);
  }

  async close(): Promise<void> {
    this.refuse();
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  private take(client: Socket): void {
    client.on('error', () => undefined);
    if (this.isRefusing) return void client.resetAndDestroy();
    const { hostname: host, port } = new URL(this.engineUrl);
    const engine = connect({ host, port: Number(port), noDelay: true });
    client.setNoDelay();
    this.pairs.set(client, engine);
    engine.on('error', () => undefined);
    client.on('close', () => {
      this.pairs.delete(client);
      engine.destroy();
    });
    engine.on('close', () => client.destroy());
    this.join(client, engine);
  }

  private join(client: Socket, engine: Socket): void {
    this.pass(client, engine, 'to the engine');
    this.pass(engine, client, 'from the engine');
  }

  private pass(from: Socket, to: Socket, direction: Direction): void {
    // Piped twice it would pass everything on twice.
    from.unpipe(to);
    if (this.silent.has(direction)) from.pause();
    else from.pipe(to);
  }
}
