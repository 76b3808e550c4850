import type { Exercise } from './talk.js';

/** Both users at both gateways, and one with himself. */
export const pairTalks: Exercise = {
  name: 'a pair talks',
  async run(talk) {
    const [ann, ben] = await Promise.all([talk.sit('ann', 0), talk.sit('ben', 0, 'bytes')]);
    await Promise.all([talk.sit('ann', 1), talk.sit('ben', 1)]);
    await talk.say(ann, talk.toUser(ann, ben, 'to ben'));
    await talk.say(ben, talk.toUser(ben, ann, 'to ann'));
    await talk.say(ann, talk.toUser(ann, ann, 'to myself'));
  },
};
