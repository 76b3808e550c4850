import { CloseReason } from '@starling/protocol';
import { accepted, expectRefusal, fence, type Form, unique, useStarling } from '@starling/testing';

const FORMS: Form[] = ['object', 'frame', 'bytes'];

describe('sessions', () => {
  const starling = useStarling({ cluster: { gatewaysOnly: true } });

  describe('login', () => {
    it.each(FORMS)('binds the user (%s)', async (form) => {
      const ann = await starling.connect(unique('ann'), { form });
      const answer = await ann.login();
      expect(answer).toMatchObject({ version: 1, command: 2, success: true, errorMsg: '' });
      expect(answer).not.toHaveProperty('errorCode');
      accepted(await ann.sendTo(ann.userId, 'bound'));
    });

    it.each(FORMS)('succeeds again for the same user and is refused for another (%s)', async (form) => {
      const ann = await starling.login(unique('ann'), { form });
      accepted(await ann.login());
      expectRefusal(await ann.login({ userId: unique('ben') }), 'ALREADY_BOUND');
      expect(accepted(await ann.sendTo(unique('cem'), 'still ann'))).toMatchObject({
        fromUserId: ann.userId,
      });
    });

    it('delivers once to a connection that logged in twice', async () => {
      const ann = await starling.login(unique('ann'));
      const ben = await starling.login(unique('ben'));
      accepted(await ben.login());
      accepted(await ann.sendTo(ben.userId, 'once'));
      await fence(ann, ben);
      expect(ben.shown.filter(({ content }) => content === 'once')).toHaveLength(1);
    });

    it.each([
      ['is missing', undefined],
      ['is empty', ''],
      ['is a number', 7],
      ['is an object', { $gt: '' }],
      ['is too long', 'a'.repeat(129)],
      ['has an unpaired surrogate', 'a\ud83d'],
    ])('is refused where userId %s, and possible afterwards', async (_, userId) => {
      const ann = await starling.connect(unique('ann'), { form: 'bytes' });
      expectRefusal(await ann.login({ userId }), 'INVALID_FIELD');
      accepted(await ann.login());
    });

    it.each(FORMS)('is needed for everything but heartbeats (%s)', async (form) => {
      const ann = await starling.connect(unique('ann'), { form });
      const group = unique('group');
      expectRefusal(await ann.sendTo(unique('ben'), 'too early'), 'NOT_LOGGED_IN');
      expectRefusal(await ann.join(group), 'NOT_LOGGED_IN');
      expectRefusal(await ann.quit(group), 'NOT_LOGGED_IN');
      expectRefusal(await ann.history(1, group), 'NOT_LOGGED_IN');
      expectRefusal(await ann.sync(), 'NOT_LOGGED_IN');
      expectRefusal(await ann.read(1, group, 1), 'NOT_LOGGED_IN');
      expect(await ann.heartbeat()).toMatchObject({ version: 1, command: 18 });
      accepted(await ann.login());
    });

    it('changes nothing when a message came before it', async () => {
      const ben = await starling.login(unique('ben'));
      const ann = await starling.connect(unique('ann'));
      expectRefusal(await ann.sendTo(ben.userId, 'too early'), 'NOT_LOGGED_IN');
      accepted(await ann.login());
      expect(accepted(await ann.sendTo(ben.userId, 'in time'))).toMatchObject({ seq: 1 });
      await ben.waitForMessage('in time');
      expect(ben.shown).toHaveLength(1);
    });
  });

  describe('logout', () => {
    it.each(FORMS)('ends the binding: nothing may be sent, nothing is received (%s)', async (form) => {
      const ann = await starling.login(unique('ann'), { form });
      const second = await starling.login(ann.userId, { form });
      const ben = await starling.login(unique('ben'));
      expect(await ann.logout()).toMatchObject({ version: 1, command: 6, success: true, errorMsg: '' });
      expectRefusal(await ann.sendTo(ben.userId, 'after logout'), 'NOT_LOGGED_IN');
      accepted(await ben.sendTo(ann.userId, 'to the other device'));
      await second.waitForMessage('to the other device');
      await ann.heartbeat();
      expect(ann.shown).toEqual([]);
    });

    it('of another user is refused', async () => {
      const ann = await starling.login(unique('ann'));
      const answer = await ann.request({ version: 1, command: 5, userId: unique('ben') });
      expectRefusal(answer, 'NOT_THE_BOUND_USER');
      accepted(await ann.sendTo(ann.userId, 'still bound'));
    });

    it('lets another user log in on the connection, who gets only their own messages', async () => {
      const connection = await starling.login(unique('ann'));
      const ben = await starling.login(unique('ben'));
      const cem = unique('cem');
      accepted(await connection.logout());
      accepted(await connection.login({ userId: cem }));
      accepted(await ben.sendTo(connection.userId, 'for ann'));
      accepted(await ben.sendTo(cem, 'for cem'));
      await connection.waitForMessage('for cem');
      expect(connection.shown.map(({ content }) => content)).toEqual(['for cem']);
    });
  });
});

describe('a connection that does not log in', () => {
  const starling = useStarling({ env: { LOGIN_TIMEOUT_MS: '4000' }, cluster: { gatewaysOnly: true } });

  it('is closed after the limit, heartbeats or not, while one that did stays', async () => {
    const bound = await starling.loginBytes(unique('ann'));
    const silent = await starling.connectBytes(unique('ben'));
    const beating = await starling.connectBytes(unique('cem'));
    expect(await beating.heartbeat()).toMatchObject({ command: 18 });
    const packets = await starling.connect(unique('dot'));
    expect(await silent.waitForClose()).toMatchObject({ code: CloseReason.LOGIN_TIMEOUT.code });
    expect(await beating.waitForClose()).toMatchObject({ code: CloseReason.LOGIN_TIMEOUT.code });
    await packets.waitForClose();
    accepted(await bound.sendTo(bound.userId, 'still here'));
  });
});
