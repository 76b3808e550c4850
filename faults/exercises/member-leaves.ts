import { type Exercise, told } from './talk.js';

/** By one gateway, and is at the other, too, where the next message is sent. */
export const memberLeaves: Exercise = {
  name: 'a member leaves',
  async run(talk) {
    const group = talk.name('group');
    const [ann, elsewhere, ben] = await Promise.all([
      talk.sit('ann', 0),
      talk.sit('ann', 1, 'frame'),
      talk.sit('ben', 1),
    ]);
    await talk.join(ben, group);
    await talk.join(ann, group);
    await talk.say(ben, talk.toGroup(ben, group, 'for both'));
    const removed = told(elsewhere, group, 'removed');
    await talk.quit(ann, group, 1);
    await talk.patiently(removed);
    await talk.say(ben, talk.toGroup(ben, group, 'for ben alone'));
    // Comes after it wherever both are shown.
    await talk.say(ben, talk.toUser(ben, ann, 'goodbye'));
    for (const { client } of [ann, elsewhere]) await client.waitForMessage('goodbye');
  },
};
