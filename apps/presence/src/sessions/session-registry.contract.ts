import type { SessionRecord } from '@starling/bus';
import { until } from '@starling/testing';
import type { SessionRegistry } from './session-registry.js';

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

    const ids = async (userId: string): Promise<string[]> =>
      (await registry.sessionsOf(userId)).map((each) => each.sessionId).sort();

    describe('while leases last', () => {
      beforeEach(() => begin(LONG_MS));

      it('answers the sessions of a user as they were opened', async () => {
        const phone = session('s1', 'ada', { device: 'phone', gatewayId: 'gateway-1', since: 1 });
        const laptop = session('s2', 'ada', { device: null, gatewayId: 'gateway-2', since: 2 });
        expect(await registry.open(phone, 5)).toBe(true);
        expect(await registry.open(laptop, 5)).toBe(true);
        await registry.open(session('s3', 'bob'), 5);
        const sessions = await registry.sessionsOf('ada');
        expect(sessions).toHaveLength(2);
        expect(sessions).toEqual(expect.arrayContaining([phone, laptop]));
        expect(await registry.sessionsOf('cid')).toEqual([]);
        expect(await registry.count()).toEqual({ sessions: 3, users: 2 });
      });

      it('refuses a session beyond the maximum, until one is closed', async () => {
        expect(await registry.open(session('s1'), 2)).toBe(true);
        expect(await registry.open(session('s2'), 2)).toBe(true);
        expect(await registry.open(session('s3'), 2)).toBe(false);
        expect(await registry.open(session('s4', 'bob'), 2)).toBe(true);
        expect(await ids('ada')).toEqual(['s1', 's2']);
        await registry.close('ada', 's1');
        expect(await registry.open(session('s3'), 2)).toBe(true);
        expect(await ids('ada')).toEqual(['s2', 's3']);
      });

      it('lets no more than the maximum in when many open at once', async () => {
        const opened = await Promise.all(
          Array.from({ length: 30 }, (_, index) => registry.open(session(`s${index}`), 7)),
        );
        expect(opened.filter(Boolean)).toHaveLength(7);
        expect(await ids('ada')).toHaveLength(7);
      });

      it('changes nothing when a session is opened again, also at the maximum', async () => {
        await registry.open(session('s1', 'ada', { since: 1 }), 1);
        expect(await registry.open(session('s1', 'ada', { since: 2 }), 1)).toBe(true);
        expect(await registry.sessionsOf('ada')).toEqual([session('s1', 'ada', { since: 1 })]);
        expect(await registry.count()).toEqual({ sessions: 1, users: 1 });
      });

      it('closes only a session that the user has', async () => {
        await registry.open(session('s1'), 5);
        await registry.close('bob', 's1');
        await registry.close('ada', 's2');
        expect(await ids('ada')).toEqual(['s1']);
        await registry.close('ada', 's1');
        await registry.close('ada', 's1');
        expect(await ids('ada')).toEqual([]);
        expect(await registry.count()).toEqual({ sessions: 0, users: 0 });
      });

      it('registers unknown sessions on renewal, also beyond a maximum: they are there', async () => {
        await registry.open(session('s1'), 1);
        await registry.renew([session('s1'), session('s2'), session('s3', 'bob')]);
        expect(await ids('ada')).toEqual(['s1', 's2']);
        expect(await ids('bob')).toEqual(['s3']);
        expect(await registry.open(session('s4'), 2)).toBe(false);
      });

      it('keeps the sessions that a renewal leaves out', async () => {
        await registry.open(session('s1'), 5);
        await registry.renew([session('s2')]);
        await registry.renew([]);
        expect(await ids('ada')).toEqual(['s1', 's2']);
      });

      it('reaps nothing', async () => {
        await registry.open(session('s1'), 5);
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
          for (const id of odd) expect(await registry.open(session(id, user), odd.length)).toBe(true);
          expect(await registry.open(session('one more', user), odd.length)).toBe(false);
        }
        for (const user of odd) expect(new Set(await ids(user))).toEqual(new Set(odd));
        for (const user of odd) await registry.close(user, user);
        for (const user of odd) {
          expect(new Set(await ids(user))).toEqual(new Set(odd.filter((id) => id !== user)));
        }
      });
    });

    describe('when leases end', () => {
      beforeEach(() => begin(SHORT_MS));

      it('ends a session that nobody renews, and keeps one that is renewed', async () => {
        await registry.open(session('renewed', 'ada', { gatewayId: 'alive' }), 5);
        await registry.open(session('silent', 'ada', { gatewayId: 'dead' }), 5);
        await until('the silent session to end', async () => {
          await registry.renew([session('renewed', 'ada', { gatewayId: 'alive' })]);
          return !(await ids('ada')).includes('silent');
        });
        expect(await ids('ada')).toEqual(['renewed']);
        expect(await registry.count()).toEqual({ sessions: 1, users: 1 });
      });

      it('does not count an ended session against the maximum, though nobody has reaped it', async () => {
        await registry.open(session('s1'), 1);
        await until('room for another', () => registry.open(session('s2'), 1));
        expect(await ids('ada')).toEqual(['s2']);
      });

      it('brings an ended session back when its gateway renews it after all', async () => {
        await registry.open(session('s1'), 5);
        await until('the session to end', async () => (await ids('ada')).length === 0);
        await registry.renew([session('s1')]);
        expect(await ids('ada')).toEqual(['s1']);
      });

      it('reaps each ended session once', async () => {
        const opened = [session('s1'), session('s2'), session('s3', 'bob')];
        for (const each of opened) await registry.open(each, 5);
        await until('the sessions to end', async () => (await registry.count()).sessions === 0);
        const reaped: SessionRecord[] = [];
        await until('all to be reaped', async () => {
          reaped.push(...(await registry.reap()));
          return reaped.length >= 3;
        });
        expect(await registry.reap()).toEqual([]);
        expect(reaped).toHaveLength(3);
        expect(reaped).toEqual(expect.arrayContaining(opened));
        expect(await registry.count()).toEqual({ sessions: 0, users: 0 });
      });

      it('does not reap a session that came back', async () => {
        await registry.open(session('s1'), 5);
        await registry.open(session('s2'), 5);
        await until('the sessions to end', async () => (await ids('ada')).length === 0);
        await registry.renew([session('s1')]);
        expect(await registry.reap()).toEqual([session('s2')]);
        expect(await ids('ada')).toEqual(['s1']);
      });
    });
  });
}

function session(sessionId: string, userId = 'ada', rest: Partial<SessionRecord> = {}): SessionRecord {
  return { sessionId, userId, device: null, gatewayId: 'gateway-1', since: 1_700_000_000_000, ...rest };
}
