import { accepted, expectRefusal, fence, unique, useStarling } from '@starling/testing';

describe('of its own accord', () => {
  const starling = useStarling({ cluster: { gatewaysOnly: true } });

  describe('join', () => {
    it('creates the group, echoes its id, and lets members talk', async () => {
      const [ann, ben] = [
        await starling.login(unique('ann')),
        await starling.login(unique('ben'), { form: 'bytes' }),
      ];
      const group = unique('group');
      expect(await ann.join(group)).toMatchObject({
        version: 1,
        command: 8,
        success: true,
        errorMsg: '',
        chatId: group,
      });
      accepted(await ben.join(group));
      expect(accepted(await ann.sendToGroup(group, 'hello'))).toMatchObject({ seq: 1 });
      expect(await ben.waitForMessage('hello')).toMatchObject({ seq: 1, toUserId: group, chatType: 1 });
    });

    it('is effective for the next packet of the joiner, not awaited', async () => {
      const ann = await starling.login(unique('ann'), { form: 'bytes' });
      const group = unique('group');
      const joined = ann.join(group);
      const sent = ann.sendToGroup(group, 'at once');
      accepted(await joined);
      accepted(await sent);
    });

    it('again is a success that changes nothing', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ben.join(group));
      accepted(await ben.join(group));
      accepted(await ann.sendToGroup(group, 'once'));
      await fence(ann, ben);
      expect(ben.shown.filter(({ content }) => content === 'once')).toHaveLength(1);
    });

    it("brings the group to all of the joiner's connections", async () => {
      const ann = await starling.login(unique('ann'));
      const [first, second] = [
        await starling.login(unique('ben')),
        await starling.login(`ben-${ann.userId}`),
      ];
      const other = await starling.login(first.userId, { form: 'bytes' });
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await first.join(group));
      accepted(await ann.sendToGroup(group, 'to both'));
      await first.waitForMessage('to both');
      await other.waitForMessage('to both');
      await fence(ann, second);
      expect(second.shown.map(({ content }) => content)).not.toContain('to both');
    });

    it('shows only what came after it, but opens the history', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ann.sendToGroup(group, 'before'));
      accepted(await ben.join(group));
      accepted(await ann.sendToGroup(group, 'after'));
      await ben.waitForMessage('after');
      expect(ben.shown.map(({ content }) => content)).toEqual(['after']);
      const history = accepted(await ben.history(1, group));
      expect(history['messages'].map(({ content }: { content: string }) => content)).toEqual([
        'before',
        'after',
      ]);
    });

    it.each([
      ['chatId is missing', { chatId: undefined }],
      ['chatId is an object', { chatId: { $gt: '' } }],
      ['chatId is too long', { chatId: 'g'.repeat(129) }],
      ['chatType is text', { chatType: '1' }],
      ['chatType is 7', { chatType: 7 }],
    ])('is refused where %s', async (_, fields) => {
      const ann = await starling.login(unique('ann'));
      const answer = await ann.request({
        version: 1,
        command: 7,
        chatId: unique('group'),
        userId: ann.userId,
        chatType: 1,
        ...fields,
      });
      expectRefusal(answer, 'INVALID_FIELD');
    });

    it('for another user is refused', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      const answer = await ann.request({
        version: 1,
        command: 7,
        chatId: group,
        userId: ben.userId,
        chatType: 1,
      });
      expectRefusal(answer, 'NOT_THE_BOUND_USER');
      expectRefusal(await ben.sendToGroup(group, 'was I joined?'), 'NOT_A_MEMBER');
    });
  });

  describe('quit', () => {
    it('ends receiving and sending, until joining again', async () => {
      const [ann, ben] = [
        await starling.login(unique('ann')),
        await starling.login(unique('ben'), { form: 'bytes' }),
      ];
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ben.join(group));
      expect(await ben.quit(group)).toMatchObject({
        version: 1,
        command: 10,
        success: true,
        errorMsg: '',
        chatId: group,
      });
      accepted(await ann.sendToGroup(group, 'without ben'));
      await fence(ann, ben);
      expect(ben.shown.map(({ content }) => content)).not.toContain('without ben');
      expectRefusal(await ben.sendToGroup(group, 'from outside'), 'NOT_A_MEMBER');
      expectRefusal(await ben.history(1, group), 'NOT_A_MEMBER');

      accepted(await ben.join(group));
      expect(accepted(await ann.sendToGroup(group, 'ben is back'))).toMatchObject({ seq: 2 });
      await ben.waitForMessage('ben is back');
      expect(ben.shown.map(({ content }) => content)).not.toContain('without ben');
    });

    it("ends it on the user's other connections too", async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const other = await starling.login(ben.userId);
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ben.join(group));
      accepted(await ben.quit(group));
      accepted(await ann.sendToGroup(group, 'without ben'));
      await fence(ann, other);
      expect(other.shown.map(({ content }) => content)).not.toContain('without ben');
    });

    it('of a group one is not in, or that is not there, is a success that changes nothing', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      accepted(await ann.quit(unique('nowhere')));
      accepted(await ann.join(group));
      accepted(await ben.quit(group));
      accepted(await ann.sendToGroup(group, 'still in'));
    });

    it('by the last member leaves a group that can be joined again', async () => {
      const ann = await starling.login(unique('ann'));
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ann.sendToGroup(group, 'one'));
      accepted(await ann.quit(group));
      accepted(await ann.join(group));
      expect(accepted(await ann.sendToGroup(group, 'two'))).toMatchObject({ seq: 2 });
    });

    it('for another user is refused', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      accepted(await ben.join(group));
      const answer = await ann.request({
        version: 1,
        command: 9,
        chatId: group,
        userId: ben.userId,
        chatType: 1,
      });
      expectRefusal(answer, 'NOT_THE_BOUND_USER');
      accepted(await ben.sendToGroup(group, 'still a member'));
    });
  });

  describe('join with chatType 0', () => {
    it('and the id of a known user opens a private chat: no group, no membership', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      accepted(await ann.join(ben.userId, 0));
      expectRefusal(await ann.sendToGroup(ben.userId, 'to a group of that name'), 'NOT_A_MEMBER');
    });

    it('knows users that are offline', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      await ben.close();
      accepted(await ann.join(ben.userId, 0));
      expectRefusal(await ann.sendToGroup(ben.userId, 'to a group of that name'), 'NOT_A_MEMBER');
    });

    it('and the id of a group joins it', async () => {
      const [ann, ben] = [await starling.login(unique('ann')), await starling.login(unique('ben'))];
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ben.join(group, 0));
      accepted(await ben.sendToGroup(group, 'as a member'));
      await ann.waitForMessage('as a member');
    });

    it('and an unknown id means a group', async () => {
      const ann = await starling.login(unique('ann'));
      const unknown = unique('unknown');
      accepted(await ann.join(unknown, 0));
      accepted(await ann.sendToGroup(unknown, 'as its first member'));
    });

    it('of quit leaves the group of that id', async () => {
      const ann = await starling.login(unique('ann'));
      const group = unique('group');
      accepted(await ann.join(group));
      accepted(await ann.quit(group, 0));
      expectRefusal(await ann.sendToGroup(group, 'gone'), 'NOT_A_MEMBER');
    });
  });
});

describe('with JOIN_UNKNOWN=private', () => {
  const starling = useStarling({ env: { JOIN_UNKNOWN: 'private' }, cluster: { gatewaysOnly: true } });

  it('chatType 0 and an unknown id means a private chat', async () => {
    const ann = await starling.login(unique('ann'));
    const unknown = unique('unknown');
    accepted(await ann.join(unknown, 0));
    expectRefusal(await ann.sendToGroup(unknown, 'there is no group'), 'NOT_A_MEMBER');
    accepted(await ann.sendTo(unknown, 'for when you come'));
  });
});

describe('with GROUPS_AUTO_CREATE=false', () => {
  const starling = useStarling({ env: { GROUPS_AUTO_CREATE: 'false' }, cluster: { gatewaysOnly: true } });

  it('joining a group that does not exist is refused', async () => {
    const ann = await starling.login(unique('ann'));
    const group = unique('group');
    expectRefusal(await ann.join(group), 'GROUP_NOT_FOUND');
    expectRefusal(await ann.sendToGroup(group, 'there is no group'), 'NOT_A_MEMBER', 'GROUP_NOT_FOUND');
  });
});
