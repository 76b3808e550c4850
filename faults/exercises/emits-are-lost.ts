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
    const say = (content: string) => talk.say(ann, talk.toGroup(ann, group, content));
    await say('heard');
    // Side by side, or a feed that looks for what is lost may find the one before the other reveals it.
    for (const round of [1, 2, 3])
      await Promise.all([say(`${UNHEARD} in round ${round}`), say(`heard in round ${round}`)]);
    await say(`${UNHEARD} and the last`);
    await talk.say(ann, talk.toUser(ann, cid, UNHEARD));
  },
};
