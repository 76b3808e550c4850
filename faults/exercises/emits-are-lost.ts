import { UNHEARD } from '../alterations/conditions.js';
import type { Exercise } from './talk.js';

/** One that a later message reveals, the last one of a group, and an only one between users who never spoke before. */
export const emitsAreLost: Exercise = {
  name: 'emits are lost',
  async run(talk) {
    const group = talk.name('group');
    const [ann, ben, cid] = await Promise.all([
      talk.sit('ann', 0),
      talk.sit('ben', 1, 'bytes'),
      talk.sit('cid', 1),
    ]);
    await talk.join(ann, group);
    await talk.join(ben, group);
    for (const content of ['heard', UNHEARD, 'heard again', `${UNHEARD} and the last`]) {
      await talk.say(ann, talk.toGroup(ann, group, content));
    }
    await talk.say(ann, talk.toUser(ann, cid, UNHEARD));
  },
};
