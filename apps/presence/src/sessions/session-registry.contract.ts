import type { DevicePolicy, SessionRecord } from '@starling/bus';
import { until } from '@starling/testing';
import type { Displaced, SessionRegistry } from './session-registry.js';

export interface SessionRegistryUnderTest {
  /** With leases of this length; other registries of it see the same sessions where it is shared. */
  readonly registry: SessionRegistry;
  stop(): Promise<void>;
}

const LONG_MS = 600_000;
const SHORT_MS = 500;

/** What every implementation of SessionRegistry promises. */
export function sessionRegistryContract(
  name: string,
  start: (leaseMs: number) => Promise<SessionRegistryUnderTest>,
): void {
  describe(`session registry: ${name}`, () => {
    let under: SessionRegistryUnderTest;
    let registry: SessionRegistry;

    const begin = async (leaseMs: number): Promise<void> => {
      under = await start(leaseMs);
      registry = under.registry;
    };

    afterEach(async () => {
      await under.stop();
    });

    const MULTI = 'multi';

    /** The record it has then, and what it displaced; null when it was refused. */
    const opening = async (
      { since: _, ...session }: SessionRecord,
      maxSessions: number,
      policy: DevicePolicy = MULTI,
    ): Promise<{ record: SessionRecord; displaced: readonly Displaced[] } | null> => {
      const opened = await registry.open(session, { maxSessions, policy });
      return opened && { record: { ...session, since: opened.since }, displaced: opened.displaced };
    };

    const open = async (...opened: Parameters<typeof opening>): Promise<boolean> =>
      (await opening(...opened)) !== null;

    const opened = async (...login: Parameters<typeof opening>): Promise<SessionRecord> =>
      (await opening(...login))!.record;

    const renew = (sessions: SessionRecord[], policy: DevicePolicy = MULTI): Promise<Displaced[]> =>
      registry.renew(sessions, policy);

    const ids = async (userId: string): Promise<string[]> =>
      (await registry.sessionsOf(userId)).map((each) => each.sessionId).sort();

    describe('while leases last', () => {
      beforeEach(() => begin(LONG_MS));

      it('answers the sessions of a user as they were opened', async () => {
        const phone = await opened(
          session('s1', 'ada', { device: 'phone', platform: 'ios', gatewayId: 'gateway-1' }),
          5,
        );
        const laptop = await opened(session('s2', 'ada', { gatewayId: 'gateway-2' }), 5);
        await open(session('s3', 'bob'), 5);
        const sessions = await registry.sessionsOf('ada');
        expect(sessions).toHaveLength(2);
        expect(sessions).toEqual(expect.arrayContaining([phone, laptop]));
        expect(await registry.sessionsOf('cid')).toEqual([]);
        expect(await registry.count()).toEqual({ sessions: 3, users: 2 });
      });

      it('shows one whose gateway stops until its user is back, and counts it for nobody', async () => {
        await open(session('s1', 'ada', { platform: 'ios' }), 2);
        await open(session('s2', 'ada', { platform: 'web' }), 2);
        await open(session('s3', 'bob', { platform: 'web' }), 2);
        await registry.leave('ada', 's1');
        await registry.leave('ada', 's2');
        await registry.leave('ada', 'nobody knows it');
        expect(await ids('ada')).toEqual(['s1', 's2']);
        expect(await registry.count()).toEqual({ sessions: 3, users: 2 });
        expect(await open(session('s4', 'ada', { platform: 'web' }), 1)).toBe(true);
        expect(await ids('ada')).toEqual(['s1', 's4']);
        expect(await open(session('s5', 'ada', { platform: 'tv' }), 1)).toBe(false);
        expect(await open(session('s5', 'ada', { platform: 'tv' }), 2)).toBe(true);
        expect(await ids('ada')).toEqual(['s4', 's5']);
        await registry.close('ada', 's4');
        expect(await ids('ada')).toEqual(['s5']);
      });

      it.each(['one-per-platform', 'single'] as const)(
        'displaces none whose gateway stops: it has gone already (%s)',
        async (policy) => {
          const record = await opened(session('s1', 'ada', { platform: 'ios' }), 5, policy);
          await registry.leave('ada', 's1');
          expect(await renew([record], policy)).toEqual([]);
          const next = await opening(session('s2', 'ada', { platform: 'ios' }), 5, policy);
          expect(next).toMatchObject({ displaced: [] });
          expect(await ids('ada')).toEqual(['s2']);
        },
      );

      it('refuses a session beyond the maximum, until one is closed', async () => {
        expect(await open(session('s1'), 2)).toBe(true);
        expect(await open(session('s2'), 2)).toBe(true);
        expect(await open(session('s3'), 2)).toBe(false);
        expect(await open(session('s4', 'bob'), 2)).toBe(true);
        expect(await ids('ada')).toEqual(['s1', 's2']);
        await registry.close('ada', 's1');
        expect(await open(session('s3'), 2)).toBe(true);
        expect(await ids('ada')).toEqual(['s2', 's3']);
      });

      it('lets no more than the maximum in when many open at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 30 }, (_, index) => open(session(`s${index}`), 7)),
        );
        expect(answers.filter(Boolean)).toHaveLength(7);
        expect(await ids('ada')).toHaveLength(7);
      });

      it('changes nothing when a session is opened again, also at the maximum', async () => {
        const first = await opened(session('s1'), 1);
        expect(await opening(session('s1'), 1)).toEqual({ record: first, displaced: [] });
        expect(await registry.sessionsOf('ada')).toEqual([first]);
        expect(await registry.count()).toEqual({ sessions: 1, users: 1 });
      });

      it('closes only a session that the user has', async () => {
        await open(session('s1'), 5);
        await registry.close('bob', 's1');
        await registry.close('ada', 's2');
        expect(await ids('ada')).toEqual(['s1']);
        await registry.close('ada', 's1');
        await registry.close('ada', 's1');
        expect(await ids('ada')).toEqual([]);
        expect(await registry.count()).toEqual({ sessions: 0, users: 0 });
      });

      it('registers unknown sessions on renewal, also beyond a maximum: they are there', async () => {
        await open(session('s1'), 1);
        await renew([session('s1'), session('s2'), session('s3', 'bob')]);
        expect(await ids('ada')).toEqual(['s1', 's2']);
        expect(await ids('bob')).toEqual(['s3']);
        expect(await open(session('s4'), 2)).toBe(false);
      });

      it('keeps the sessions that a renewal leaves out', async () => {
        await open(session('s1'), 5);
        await renew([session('s2')]);
        await renew([]);
        expect(await ids('ada')).toEqual(['s1', 's2']);
      });

      it('says since when a session is: later than all others of the user, also those that were renewed', async () => {
        const first = await opened(session('s1'), 5);
        const second = await opened(session('s2'), 5);
        expect(second.since).toBeGreaterThan(first.since);
        expect(Math.abs(first.since - Date.now())).toBeLessThan(600_000);
        const ahead = session('s3', 'ada', { since: Date.now() + 1_000_000 });
        await renew([ahead]);
        expect((await opened(session('s4'), 5)).since).toBeGreaterThan(ahead.since);
      });

      it('reaps nothing', async () => {
        await open(session('s1'), 5);
        expect(await registry.reap()).toEqual([]);
        expect(await ids('ada')).toEqual(['s1']);
      });

      it('keeps ids apart, whatever characters they hold', async () => {
        const odd = [
          '__proto__',
          'constructor',
          "o'hara",
          '{a}',
          'a:b',
          'a:b:c',
          '*',
          '群组😀',
          'a\u0000b',
          ' ',
        ];
        for (const user of odd) {
          for (const id of odd) expect(await open(session(id, user), odd.length)).toBe(true);
          expect(await open(session('one more', user), odd.length)).toBe(false);
        }
        for (const user of odd) expect(new Set(await ids(user))).toEqual(new Set(odd));
        for (const user of odd) await registry.close(user, user);
        for (const user of odd) {
          expect(new Set(await ids(user))).toEqual(new Set(odd.filter((id) => id !== user)));
        }
      });
    });

    describe('a policy that lets only some sessions stand beside each other', () => {
      beforeEach(() => begin(LONG_MS));

      const web = (sessionId: string, gatewayId = 'gateway-1') =>
        session(sessionId, 'ada', { platform: 'web', gatewayId });
      const ios = (sessionId: string, gatewayId = 'gateway-1') =>
        session(sessionId, 'ada', { platform: 'ios', gatewayId });

      it('multi: lets all stand', async () => {
        await open(web('s1'), 5, 'multi');
        expect((await opening(web('s2'), 5, 'multi'))!.displaced).toEqual([]);
        expect(await ids('ada')).toEqual(['s1', 's2']);
      });

      it('single: displaces all others of the user, and nobody else', async () => {
        const older = [await opened(web('s1', 'gateway-2'), 5), await opened(ios('s2'), 5)];
        await open(session('s3', 'bob'), 5);
        const newest = (await opening(web('s4'), 5, 'single'))!;
        expect(newest.displaced).toHaveLength(2);
        expect(newest.displaced).toEqual(
          expect.arrayContaining(older.map((each) => ({ session: each, by: newest.record }))),
        );
        expect(await registry.sessionsOf('ada')).toEqual([newest.record]);
        expect(await ids('bob')).toEqual(['s3']);
        expect(await registry.count()).toEqual({ sessions: 2, users: 2 });
        expect(await registry.reap()).toEqual([]);
      });

      it('one-per-platform: displaces those of the same platform, and those without one among themselves', async () => {
        for (const each of [web('s1'), ios('s2'), session('s3')]) await open(each, 5, 'one-per-platform');
        expect(await ids('ada')).toEqual(['s1', 's2', 's3']);
        const newer = (await opening(web('s4'), 5, 'one-per-platform'))!;
        expect(newer.displaced.map((each) => each.session.sessionId)).toEqual(['s1']);
        const nameless = (await opening(session('s5'), 5, 'one-per-platform'))!;
        expect(nameless.displaced.map((each) => each.session.sessionId)).toEqual(['s3']);
        expect(await ids('ada')).toEqual(['s2', 's4', 's5']);
      });

      it('keeps platforms apart, whatever characters they hold', async () => {
        const odd = ['web', 'Web', 'web ', ' ', '.', '%S', '网页😀', 'a\nb', '__proto__'];
        for (const [i, platform] of odd.entries()) {
          const each = session(`s${i}`, 'ada', { platform });
          expect(await opened(each, odd.length, 'one-per-platform')).toMatchObject({ platform });
        }
        expect(await ids('ada')).toHaveLength(odd.length);
        for (const [i, platform] of odd.entries()) {
          const newer = await opening(session(`t${i}`, 'ada', { platform }), odd.length, 'one-per-platform');
          expect(newer!.displaced.map((each) => each.session.sessionId)).toEqual([`s${i}`]);
        }
      });

      it('displaces nobody when there are too many others, and counts only those that would stay', async () => {
        await open(web('s1'), 2, 'one-per-platform');
        await open(ios('s2'), 2, 'one-per-platform');
        expect(await open(session('s3'), 2, 'one-per-platform')).toBe(false);
        expect(await ids('ada')).toEqual(['s1', 's2']);
        expect(await open(ios('s4'), 2, 'one-per-platform')).toBe(true);
        expect(await open(ios('s5'), 1, 'single')).toBe(true);
        expect(await ids('ada')).toEqual(['s5']);
      });

      it('is no rival of itself when it is opened again', async () => {
        const first = await opened(web('s1'), 5, 'single');
        expect(await opening(web('s1'), 5, 'single')).toEqual({ record: first, displaced: [] });
        expect(await renew([first], 'single')).toEqual([]);
        expect(await ids('ada')).toEqual(['s1']);
      });

      it('leaves one when many are opened at once, and names every other one as displaced once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, i) => opening(web(`s${i}`, `gateway-${i % 2}`), 1, 'single')),
        );
        const stays = await registry.sessionsOf('ada');
        expect(stays).toHaveLength(1);
        const displaced = answers.flatMap((answer) =>
          answer!.displaced.map((each) => each.session.sessionId),
        );
        expect([...displaced, stays[0]!.sessionId].sort()).toEqual(
          answers.map((answer) => answer!.record.sessionId).sort(),
        );
        expect(stays[0]!.since).toBe(Math.max(...answers.map((answer) => answer!.record.since)));
      });

      it('answers every renewal of a displaced session so, also when the newer one is gone, until it is closed', async () => {
        const older = await opened(web('s1', 'gateway-1'), 5, 'single');
        const newer = await opened(web('s2', 'gateway-2'), 5, 'single');
        const displaced = [{ session: older, by: newer }];
        expect(await renew([older], 'single')).toEqual(displaced);
        expect(await renew([older], 'multi')).toEqual(displaced);
        await registry.close('ada', 's2');
        expect(await renew([older, session('s3', 'bob')], 'single')).toEqual(displaced);
        expect(await ids('ada')).toEqual([]);
        expect(await ids('bob')).toEqual(['s3']);
        await registry.close('ada', 's1');
        expect(await renew([older], 'single')).toEqual([]);
        expect(await ids('ada')).toEqual(['s1']);
      });

      it('lets the newest stand when a registry that lost everything is told again, in whatever order', async () => {
        const older = web('s1', 'gateway-1');
        const newer = web('s2', 'gateway-2');
        const newest = { ...web('s3', 'gateway-3'), since: newer.since + 1_000_000 };
        newer.since += 1;
        expect(await renew([newer], 'single')).toEqual([]);
        expect(await renew([older], 'single')).toEqual([{ session: older, by: newer }]);
        expect(await renew([newest], 'single')).toEqual([{ session: newer, by: newest }]);
        expect(await renew([older, newer], 'single')).toEqual([
          { session: older, by: newer },
          { session: newer, by: newest },
        ]);
        expect(await registry.sessionsOf('ada')).toEqual([newest]);
      });

      it('settles sessions that are told in one renewal, too', async () => {
        const [older, newer] = [web('s1'), web('s2')];
        newer.since += 1;
        expect(await renew([older, newer], 'single')).toEqual([{ session: older, by: newer }]);
        expect(await renew([ios('s3'), older], 'one-per-platform')).toEqual([{ session: older, by: newer }]);
        expect(await ids('ada')).toEqual(['s2', 's3']);
      });
    });

    describe('when leases end', () => {
      beforeEach(() => begin(SHORT_MS));

      it('remembers a displaced session for as long as it is renewed, and forgets one that is not', async () => {
        const older = await opened(session('s1'), 5);
        const silent = await opened(session('s2', 'bob'), 5);
        const newer = await opened(session('s3'), 5, 'single');
        await open(session('s4', 'bob'), 5, 'single');
        const start = performance.now();
        await until('longer than two leases, and what nobody renews to end', async () => {
          expect(await renew([older, newer], 'single')).toEqual([{ session: older, by: newer }]);
          await registry.count();
          return performance.now() - start > 2 * SHORT_MS && (await ids('bob')).length === 0;
        });
        expect(await renew([silent])).toEqual([]);
        expect(await ids('bob')).toEqual(['s2']);
      });

      it('ends a session that nobody renews, and keeps one that is renewed', async () => {
        await open(session('renewed', 'ada', { gatewayId: 'alive' }), 5);
        await open(session('silent', 'ada', { gatewayId: 'dead' }), 5);
        await until('the silent session to end', async () => {
          await renew([session('renewed', 'ada', { gatewayId: 'alive' })]);
          return !(await ids('ada')).includes('silent');
        });
        expect(await ids('ada')).toEqual(['renewed']);
        expect(await registry.count()).toEqual({ sessions: 1, users: 1 });
      });

      it('does not count an ended session against the maximum, though nobody has reaped it', async () => {
        await open(session('s1'), 1);
        await until('room for another', () => open(session('s2'), 1));
        expect(await ids('ada')).toEqual(['s2']);
      });

      it('brings an ended session back when its gateway renews it after all', async () => {
        await open(session('s1'), 5);
        await until('the session to end', async () => (await ids('ada')).length === 0);
        await renew([session('s1')]);
        expect(await ids('ada')).toEqual(['s1']);
      });

      it('reaps each ended session once', async () => {
        const all = [
          await opened(session('s1'), 5),
          await opened(session('s2'), 5),
          await opened(session('s3', 'bob'), 5),
        ];
        await until('the sessions to end', async () => (await registry.count()).sessions === 0);
        const reaped: SessionRecord[] = [];
        await until('all to be reaped', async () => {
          reaped.push(...(await registry.reap()));
          return reaped.length >= 3;
        });
        expect(await registry.reap()).toEqual([]);
        expect(reaped).toHaveLength(3);
        expect(reaped).toEqual(expect.arrayContaining(all));
        expect(await registry.count()).toEqual({ sessions: 0, users: 0 });
      });

      it('does not reap a session that came back', async () => {
        const back = await opened(session('s1'), 5);
        const gone = await opened(session('s2'), 5);
        await until('the sessions to end', async () => (await ids('ada')).length === 0);
        await renew([back]);
        expect(await registry.reap()).toEqual([gone]);
        expect(await ids('ada')).toEqual(['s1']);
      });
    });
  });
}

function session(
  sessionId: string,
  userId = 'ada',
  rest: Partial<SessionRecord> = {},
): { -readonly [Field in keyof SessionRecord]: SessionRecord[Field] } {
  return {
    sessionId,
    userId,
    device: null,
    platform: null,
    gatewayId: 'gateway-1',
    since: 1_700_000_000_000,
    ...rest,
  };
}
