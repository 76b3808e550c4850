import { until } from '@starling/testing';
import { HEARD_LATE, HEARS_AT_ONCE } from '../alterations/conditions.js';
import { type Exercise, told } from './talk.js';

/** By a gateway at which the user has another connection, and which is given a message of after it before. */
export const leavingIsHeardOfLate: Exercise = {
  name: 'a member leaves, and a gateway hears of it late',
  async run(talk) {
    const group = talk.name(`group ${HEARD_LATE}`);
    const [ann, elsewhere, ben, cid] = await Promise.all([
      talk.sit('ann', 0),
      talk.sit('ann', 1, 'frame'),
      talk.sit(HEARS_AT_ONCE, 0),
      talk.sit('cid', 0),
    ]);
    await talk.join(ben, group);
    await talk.join(ann, group);
    await talk.say(ben, talk.toGroup(ben, group, 'for both'));
    await until('it to be seen elsewhere', () => talk.hasSeen(elsewhere, 'for both'));
    const removed = told(elsewhere, group, 'removed');
    await talk.quit(ann, group, 1);
    // Whoever joins now is known with a later version than that by which she left, and so is what they say.
    await talk.join(cid, group, 1);
    await talk.say(cid, talk.toGroup(cid, group, 'for the others'));
    await talk.patiently(removed);
    // Comes after it wherever both are shown.
    await talk.say(cid, talk.toUser(cid, ann, 'goodbye'));
    for (const { client } of [ann, elsewhere]) await client.waitForMessage('goodbye');
  },
};
