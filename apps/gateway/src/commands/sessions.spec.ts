import { PresenceRequest, type RequestPattern } from '@starling/bus';
import { loadConfig } from '@starling/config';
import { pino } from 'pino';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import type { ClientConnection } from '../connection/client-connection.js';
import { Sessions } from './sessions.js';

type Request = readonly [name: string, payload: { sessionId?: string; sessions?: { userId: string }[] }];

/** What presence is asked; renewals are answered when the test says so. */
class Presence {
  readonly asked: Request[] = [];
  readonly renewals: (() => void)[] = [];

  request = async (pattern: RequestPattern<unknown, unknown>, payload: unknown): Promise<never> => {
    this.asked.push([pattern.name, payload as Request[1]]);
    if (pattern.name === PresenceRequest.renew.name) {
      await new Promise<void>((resolve) => this.renewals.push(resolve));
    }
    return { since: 1, displaced: [] } as never;
  };

  of(pattern: RequestPattern<never, never>): Request[1][] {
    return this.asked.filter(([name]) => name === pattern.name).map(([, payload]) => payload);
  }
}

describe('a bulk renewal', () => {
  let presence: Presence;
  let sessions: Sessions;

  beforeEach(() => {
    presence = new Presence();
    const nothing = { bound() {}, unbound() {}, unbind() {}, ended() {} };
    const membership = { ...nothing, bind: async () => undefined };
    const replay = { ...nothing, arrive: async () => () => undefined };
    sessions = new Sessions(
      loadConfig({}),
      pino({ level: 'silent' }),
      presence,
      { id: 'gateway' } as never,
      nothing as never,
      membership as never,
      replay as never,
    );
  });

  async function login(userId: string): Promise<ClientConnection> {
    const connection = new RecordedConnection(userId, userId, new RecordedForm('f', 'object'));
    const login = { userId, device: null, platform: null, pushes: false };
    await sessions.open(connection as unknown as ClientConnection, login);
    return connection as unknown as ClientConnection;
  }

  it('that overtakes the end of a session does not bring it back', async () => {
    const ann = await login('ann');
    await login('ben');
    const renewing = sessions.renew();
    await sessions.close(ann, true);
    presence.renewals[0]!();
    await renewing;
    const closed = presence.of(PresenceRequest.close as never).map(({ sessionId }) => sessionId);
    expect(closed).toHaveLength(2);
    expect(new Set(closed).size).toBe(1);
  });

  it('does not end the sessions that wait for their users, who were told to come back', async () => {
    const ann = await login('ann');
    const renewing = sessions.renew();
    await sessions.ended(Object.assign(ann, { isToComeBack: true }), true);
    presence.renewals[0]!();
    await renewing;
    expect(presence.of(PresenceRequest.leave as never)).toHaveLength(1);
    expect(presence.of(PresenceRequest.close as never)).toEqual([]);
  });

  it('leaves out who has gone since it began', async () => {
    const all = await Promise.all(Array.from({ length: 501 }, (_, i) => login(`user ${i}`)));
    const renewing = sessions.renew();
    await sessions.close(all[500]!, true);
    presence.renewals[0]!();
    await renewing;
    expect(
      presence.of(PresenceRequest.renew as never).flatMap(({ sessions: renewed }) => renewed),
    ).toHaveLength(500);
  });
});
