import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  InProcessBusModule,
  InProcessRequestServer,
  PresenceRequest,
  REQUEST_CLIENT,
  type DevicePolicy,
  type RequestClient,
  type RequestPattern,
  type SessionRecord,
} from '@starling/bus';
import { CONFIG, loadConfig } from '@starling/config';
import { ObservabilityModule } from '@starling/observability';
import { ROOM_EMITTER, userRoom, type RoomEvent, type RoomName } from '@starling/rooms';
import { SQLITE, SqliteDatabase } from '@starling/storage';
import { until } from '@starling/testing';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { PresenceModule } from './presence.module.js';

describe('PresenceModule over the bus', () => {
  let folder: string;
  let database: SqliteDatabase;
  let metrics: Registry;
  let app: INestApplication;
  let client: RequestClient;
  let emitted: [RoomName, RoomEvent][];
  let logged: { msg: string; gatewayId?: string; sessions?: number }[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'starling-presence-'));
  });

  afterEach(async () => {
    await stop();
    rmSync(folder, { recursive: true });
  });

  async function start(environment: Record<string, string> = {}): Promise<void> {
    database = await SqliteDatabase.open(folder);
    metrics = new Registry();
    logged = [];
    emitted = [];
    const logger = pino(
      {},
      { write: (line: string) => logged.push(JSON.parse(line) as (typeof logged)[number]) },
    );
    @Global()
    @Module({
      providers: [
        { provide: CONFIG, useValue: loadConfig(environment) },
        { provide: SQLITE, useValue: database },
        {
          provide: ROOM_EMITTER,
          useValue: { emit: (room: RoomName, event: RoomEvent) => emitted.push([room, event]) },
        },
      ],
      exports: [CONFIG, SQLITE, ROOM_EMITTER],
    })
    class SurroundingsModule {}
    const module = await Test.createTestingModule({
      imports: [
        SurroundingsModule,
        ObservabilityModule.register({ logger, metrics }),
        InProcessBusModule,
        PresenceModule.onSqlite(),
      ],
    }).compile();
    app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: app.get(InProcessRequestServer) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    client = app.get<RequestClient>(REQUEST_CLIENT);
  }

  async function stop(): Promise<void> {
    await app.close();
    await database.close();
  }

  const gauge = async (name: string): Promise<number | undefined> =>
    (await metrics.getSingleMetric(name)!.get()).values[0]?.value;

  const open = async (
    session: SessionRecord,
    maxSessions: number,
    policy: DevicePolicy = 'multi',
  ): Promise<SessionRecord> => {
    const { since } = await client.request(PresenceRequest.open, { session, maxSessions, policy });
    return { ...session, since };
  };

  it('makes a user known at the first login, for good', async () => {
    await start();
    expect(await client.request(PresenceRequest.knowsUser, { userId: 'ada' })).toEqual({ known: false });
    await open(session('s1'), 5);
    expect(await client.request(PresenceRequest.knowsUser, { userId: 'ada' })).toEqual({ known: true });
    expect(await client.request(PresenceRequest.createUser, { userId: 'ada' })).toEqual({ created: false });
    expect(await client.request(PresenceRequest.createUser, { userId: 'bob' })).toEqual({ created: true });
    await stop();
    await start();
    expect(await client.request(PresenceRequest.knowsUser, { userId: 'ada' })).toEqual({ known: true });
    expect(await client.request(PresenceRequest.knowsUser, { userId: 'bob' })).toEqual({ known: true });
    expect(await client.request(PresenceRequest.sessions, { userId: 'ada' })).toEqual({ sessions: [] });
  });

  it('opens, shows and closes sessions, refuses too many, and counts them', async () => {
    await start();
    const first = await open(session('s1'), 2);
    const second = await open(session('s2'), 2);
    await open(session('s3', 'bob'), 2);
    const third = open(session('s4'), 2);
    await expect(third).rejects.toMatchObject({ name: 'Refusal', error: 'TOO_MANY_CONNECTIONS' });
    expect(await client.request(PresenceRequest.sessions, { userId: 'ada' })).toEqual({
      sessions: [first, second],
    });
    expect(await gauge('starling_presence_sessions')).toBe(3);
    expect(await gauge('starling_presence_users_online')).toBe(2);
    await client.request(PresenceRequest.close, { sessionId: 's3', userId: 'bob' });
    expect(await gauge('starling_presence_sessions')).toBe(2);
    expect(await gauge('starling_presence_users_online')).toBe(1);
  });

  it('reaps the sessions of a gateway that fell silent and says so, and keeps those of one that renews', async () => {
    await start({ SESSION_LEASE_MS: '1500' });
    const alive = await open(session('s1', 'ada', 'alive'), 5);
    for (const id of ['s2', 's3']) {
      await open(session(id, 'ada', 'dead'), 5);
    }
    await until('the reaper to speak', async () => {
      await client.request(PresenceRequest.renew, {
        gatewayId: 'alive',
        sessions: [alive],
        policy: 'multi',
      });
      const reaped = logged.filter(({ gatewayId }) => gatewayId === 'dead');
      return reaped.reduce((sum, { sessions = 0 }) => sum + sessions, 0) === 2;
    });
    expect(logged.some(({ gatewayId }) => gatewayId === 'alive')).toBe(false);
    expect(await client.request(PresenceRequest.sessions, { userId: 'ada' })).toEqual({ sessions: [alive] });
  });

  it('tells the room of the user, and who renews, that a session was displaced, and whether by its own device', async () => {
    await start();
    const other = await open(session('s1', 'ada', 'gateway-1'), 5, 'single');
    const same = await open({ ...session('s2', 'ada', 'gateway-2'), device: 'tablet' }, 5, 'single');
    await open({ ...session('s3', 'ada', 'gateway-3'), device: 'tablet' }, 5, 'single');
    expect(emitted).toEqual([
      [userRoom('ada'), { kind: 'close', sessionId: 's1', reason: 'DISPLACED' }],
      [userRoom('ada'), { kind: 'close', sessionId: 's2', reason: 'SUPERSEDED' }],
    ]);
    const renewal = (gatewayId: string, ...sessions: SessionRecord[]) =>
      client.request(PresenceRequest.renew, { gatewayId, sessions, policy: 'single' });
    expect(await renewal('gateway-1', other, session('s4', 'bob', 'gateway-1'))).toEqual({
      displaced: [{ sessionId: 's1', reason: 'DISPLACED' }],
    });
    expect(await renewal('gateway-2', same)).toEqual({
      displaced: [{ sessionId: 's2', reason: 'SUPERSEDED' }],
    });
    expect(emitted).toHaveLength(2);
  });

  it('takes no two logins without a device for the same device', async () => {
    await start();
    await open({ ...session('s1'), device: null }, 5, 'single');
    await open({ ...session('s2'), device: null }, 5, 'single');
    expect(emitted).toMatchObject([[userRoom('ada'), { sessionId: 's1', reason: 'DISPLACED' }]]);
  });

  it('tells other gateways of sessions that a renewal displaced', async () => {
    await start();
    const older = session('s1', 'ada', 'gateway-1');
    const newer = { ...session('s2', 'ada', 'gateway-2'), device: 'tablet', since: older.since + 1 };
    for (const each of [older, newer]) {
      const { displaced } = await client.request(PresenceRequest.renew, {
        gatewayId: each.gatewayId,
        sessions: [each],
        policy: 'single',
      });
      expect(displaced).toEqual([]);
    }
    expect(emitted).toEqual([[userRoom('ada'), { kind: 'close', sessionId: 's1', reason: 'DISPLACED' }]]);
  });

  it('stops its timer with the module', async () => {
    const begun = jest.spyOn(globalThis, 'setInterval');
    const ended = jest.spyOn(globalThis, 'clearInterval');
    await start();
    const timers = begun.mock.results.map(({ value }) => value as NodeJS.Timeout);
    expect(timers).not.toEqual([]);
    await app.close();
    for (const timer of timers) expect(ended).toHaveBeenCalledWith(timer);
    jest.restoreAllMocks();
  });

  it('refuses requests with a field missing or not valid, by the name of the field', async () => {
    await start();
    const valid: Record<keyof typeof PresenceRequest, Record<string, unknown>> = {
      open: { session: session('s1'), maxSessions: 5, policy: 'multi' },
      close: { sessionId: 's1', userId: 'ada' },
      leave: { sessionId: 's1', userId: 'ada' },
      renew: { gatewayId: 'gateway-1', sessions: [session('s1')], policy: 'multi' },
      sessions: { userId: 'ada' },
      knowsUser: { userId: 'ada' },
      createUser: { userId: 'ada' },
    };
    const bad = [undefined, '', '\ud800', 0.5, -1, true, { $gt: '' }, ['']];
    for (const name of Object.keys(valid) as (keyof typeof PresenceRequest)[]) {
      const pattern = PresenceRequest[name] as RequestPattern<unknown, unknown>;
      for (const field of Object.keys(valid[name])) {
        for (const value of bad) {
          const refused = client.request(pattern, { ...valid[name], [field]: value });
          await expect(refused).rejects.toMatchObject({
            error: 'INVALID_FIELD',
            message: expect.stringMatching(new RegExp(`^${field}\\b`)),
          });
        }
      }
    }
    for (const field of ['sessionId', 'userId', 'gatewayId', 'platform', 'device'] as const) {
      const text = field === 'device' ? ['', '\ud800'] : field === 'platform' ? ['\ud800'] : [];
      for (const value of bad.filter((each) => !text.includes(each as string))) {
        const refused = client.request(PresenceRequest.open, {
          session: { ...session('s1'), [field]: value as never },
          maxSessions: 5,
          policy: 'multi',
        });
        await expect(refused).rejects.toMatchObject({
          error: 'INVALID_FIELD',
          message: `session.${field} is missing or not valid`,
        });
      }
    }
    expect(await client.request(PresenceRequest.sessions, { userId: 'ada' })).toEqual({ sessions: [] });
  });

  it('refuses a renewal of sessions of another gateway', async () => {
    await start();
    const foreign = {
      gatewayId: 'gateway-2',
      sessions: [session('s1', 'ada', 'gateway-1')],
      policy: 'multi' as const,
    };
    await expect(client.request(PresenceRequest.renew, foreign)).rejects.toMatchObject({
      error: 'INVALID_FIELD',
      message: 'sessions is missing or not valid',
    });
  });
});

function session(sessionId: string, userId = 'ada', gatewayId = 'gateway-1'): SessionRecord {
  return { sessionId, userId, device: 'phone', platform: 'ios', gatewayId, since: 1_700_000_000_000 };
}
