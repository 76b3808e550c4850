import { SLOW_END, SLOWLY } from '../alterations/conditions.js';
import type { Exercise } from './talk.js';

/**
 * In the middle of a commit and beyond its lease. Another worker leads meanwhile, which refuses what the first had in its
 * hands, since the sender has left, and gives its seq to another message.
 */
export const storeStandsStill: Exercise = {
  name: 'a store stands still beyond its lease',
  async run(talk) {
    const group = talk.name('group');
    const content = talk.name(SLOWLY);
    const [ann, ben] = await Promise.all([talk.sit('ann', 0), talk.sit('ben', 1)]);
    await talk.join(ben, group);
    await talk.join(ann, group);
    await talk.say(ben, talk.toGroup(ben, group, 'before it'));
    const { answered } = talk.try(ann, talk.toGroup(ann, group, content));
    const store = await talk.committingSlowly(content);
    // Before another store, which judges the message again, may lead the partition.
    await talk.quit(ann, group, 1);
    process.kill(store.pid, 'SIGSTOP');
    try {
      await talk.say(ben, talk.toGroup(ben, group, 'meanwhile'));
    } finally {
      process.kill(store.pid, 'SIGCONT');
    }
    await store.waitForLog('the end of its commit', ({ msg }) => msg === SLOW_END);
    await talk.say(ben, talk.toGroup(ben, group, 'after it'));
    await answered;
  },
};
