import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Global, Module, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  GroupsRequest,
  InProcessBusModule,
  InProcessRequestServer,
  MEMBERSHIP_FOLLOWER,
  REQUEST_CLIENT,
  type MembershipEvent,
  type MembershipFollower,
  type RequestClient,
  type RequestPattern,
} from '@starling/bus';
import { CONFIG, loadConfig } from '@starling/config';
import { ObservabilityModule } from '@starling/observability';
import { SQLITE, SqliteDatabase } from '@starling/storage';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { GroupsModule } from './groups.module.js';

describe('GroupsModule over the bus', () => {
  let folder: string;
  let database: SqliteDatabase;
  let app: INestApplication;
  let client: RequestClient;
  let events: MembershipEvent[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'starling-groups-'));
    database = await SqliteDatabase.open(folder);
    @Global()
    @Module({
      providers: [
        { provide: CONFIG, useValue: loadConfig({}) },
        { provide: SQLITE, useValue: database },
      ],
      exports: [CONFIG, SQLITE],
    })
    class SurroundingsModule {}
    const module = await Test.createTestingModule({
      imports: [
        SurroundingsModule,
        ObservabilityModule.register({ logger: pino({ level: 'silent' }), metrics: new Registry() }),
        InProcessBusModule,
        GroupsModule.onSqlite(),
      ],
    }).compile();
    app = module.createNestApplication({ logger: false });
    app.connectMicroservice({ strategy: app.get(InProcessRequestServer) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    client = app.get<RequestClient>(REQUEST_CLIENT);
    events = [];
    await app.get<MembershipFollower>(MEMBERSHIP_FOLLOWER).follow(
      (event) => events.push(event),
      () => {},
    );
  });

  afterAll(async () => {
    await app.close();
    await database.close();
    rmSync(folder, { recursive: true });
  });

  it('answers every request, each change after its event', async () => {
    const g = { groupId: 'g' };
    const steps: [() => Promise<unknown>, unknown][] = [
      [
        () => client.request(GroupsRequest.create, { ...g, ownerId: 'ada', policy: 'closed' }),
        { ...g, version: 1, role: 'owner', changed: true },
      ],
      [
        () => client.request(GroupsRequest.add, { ...g, userId: 'bob', by: 'ada' }),
        { ...g, version: 2, role: 'member', changed: true },
      ],
      [
        () => client.request(GroupsRequest.setRole, { ...g, userId: 'bob', role: 'admin', by: 'ada' }),
        { ...g, version: 3, role: 'admin', changed: true },
      ],
      [
        () => client.request(GroupsRequest.add, { ...g, userId: 'cid', by: 'bob' }),
        { ...g, version: 4, role: 'member', changed: true },
      ],
      [
        () => client.request(GroupsRequest.remove, { ...g, userId: 'cid', by: 'bob' }),
        { ...g, version: 5, role: null, changed: true },
      ],
      [
        () => client.request(GroupsRequest.join, { ...g, userId: 'bob', createIfMissing: true }),
        { ...g, version: 5, role: 'admin', changed: false },
      ],
      [
        () => client.request(GroupsRequest.quit, { ...g, userId: 'ada' }),
        { ...g, version: 7, role: null, changed: true },
      ],
      [
        () => client.request(GroupsRequest.membersAmong, { ...g, userIds: ['bob', 'ada', 'cid', 'dan'] }),
        { ...g, version: 7, members: ['bob'] },
      ],
      [
        () => client.request(GroupsRequest.ofUser, { userId: 'bob' }),
        { memberships: [{ ...g, version: 7, role: 'owner', memberSince: 2 }] },
      ],
      [() => client.request(GroupsRequest.dissolve, { ...g, by: 'bob' }), { ...g, version: 8 }],
    ];
    for (const [request, reply] of steps) {
      const answered = await request();
      expect(answered).toEqual(reply);
      const { version } = answered as { version?: number };
      if (version !== undefined) expect(events.at(-1)?.version).toBe(version);
    }
    expect(events.map((event) => event.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('carries refusals over', async () => {
    const request = { groupId: 'none', userId: 'ada', createIfMissing: false };
    await expect(client.request(GroupsRequest.join, request)).rejects.toMatchObject({
      name: 'Refusal',
      error: 'GROUP_NOT_FOUND',
    });
  });

  const VALID: Record<keyof typeof GroupsRequest, Record<string, unknown>> = {
    join: { groupId: 'v', userId: 'ada', createIfMissing: true },
    quit: { groupId: 'v', userId: 'ada' },
    ofUser: { userId: 'ada' },
    membersAmong: { groupId: 'v', userIds: ['ada'] },
    create: { groupId: 'v', ownerId: 'ada', policy: 'open' },
    add: { groupId: 'v', userId: 'ada', by: 'bob' },
    remove: { groupId: 'v', userId: 'ada', by: 'bob' },
    setRole: { groupId: 'v', userId: 'ada', role: 'admin', by: 'bob' },
    dissolve: { groupId: 'v', by: 'bob' },
  };
  const BAD_VALUES = [undefined, '', '\ud800', 7, true, { $gt: '' }, ['ada'], 'x\udc00y'];

  it.each(Object.keys(VALID) as (keyof typeof GroupsRequest)[])(
    'refuses %s with any field missing or not valid, by the name of the field',
    async (name) => {
      const before = events.length;
      const pattern = GroupsRequest[name] as RequestPattern<unknown, unknown>;
      for (const field of Object.keys(VALID[name])) {
        for (const value of BAD_VALUES) {
          if (field === 'createIfMissing' && value === true) continue;
          if (field === 'userIds' && Array.isArray(value)) continue;
          const payload = { ...VALID[name], [field]: value };
          await expect(client.request(pattern, payload)).rejects.toMatchObject({
            error: 'INVALID_FIELD',
            message: `${field} is missing or not valid`,
          });
        }
      }
      for (const payload of ['ada', 7, [], {}]) {
        await expect(client.request(pattern, payload)).rejects.toMatchObject({ error: 'INVALID_FIELD' });
      }
      expect(events).toHaveLength(before);
    },
  );
});
