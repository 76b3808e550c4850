import { until } from '@starling/testing';
import type { Exercise } from './talk.js';

/** One after the other and side by side, by the same gateway and by another. */
export const messagesAreRetried: Exercise = {
  name: 'messages are retried',
  async run(talk) {
    const group = talk.name('group');
    const [ann, elsewhere, ben] = await Promise.all([
      talk.sit('ann', 0),
      talk.sit('ann', 1),
      talk.sit('ben', 1, 'frame'),
    ]);
    await talk.join(ann, group);
    await talk.join(ben, group);
    for (const content of ['first', 'second']) {
      const packet = talk.toGroup(ann, group, content);
      await talk.say(ann, packet);
      // Or the copy could not be told from the answer.
      await until('the copy', () => talk.hasSeen(elsewhere, content));
      await Promise.all([ann.client.request(packet), elsewhere.client.request(packet)]);
    }
  },
};
