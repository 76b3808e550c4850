import { until } from '@starling/testing';
import type { Exercise } from './talk.js';

/** To another gateway, after messages that came while their connections were cut: one syncs, one never does. */
export const membersComeBack: Exercise = {
  name: 'members come back',
  async run(talk) {
    const group = talk.name('group');
    const [ann, ben, cid] = await Promise.all([
      talk.sit('ann', 0),
      talk.sit('ben', 0, 'bytes'),
      talk.sit('cid', 1, 'frame'),
    ]);
    for (const seat of [ann, ben, cid]) await talk.join(seat, group);
    const say = (content: string) => talk.say(ann, talk.toGroup(ann, group, content));
    await say('before');
    for (const seat of [ben, cid]) await until('it to be seen', () => talk.hasSeen(seat, 'before'));
    for (const seat of [ben, cid]) await talk.cut(seat);
    for (const content of ['meanwhile', 'and then', 'and again']) await say(content);
    for (const seat of [ben, cid]) await talk.say(ann, talk.toUser(ann, seat, 'for you alone'));
    await talk.comeBack(ben, 1);
    await talk.comeBack(cid, 0);
    await say('after');
  },
};
