import { until } from '@starling/testing';
import { SLOWLY } from '../alterations/conditions.js';
import type { Exercise } from './talk.js';

/**
 * As soon as anybody was told of the message, and its sender leaves before another worker reads it again: what is not
 * committed by then is refused.
 */
export const storeDiesWhileCommitting: Exercise = {
  name: 'a store dies while it commits',
  async run(talk) {
    const group = talk.name('group');
    const content = talk.name(SLOWLY);
    const [ann, ben] = await Promise.all([talk.sit('ann', 0), talk.sit('ben', 1)]);
    await talk.join(ben, group);
    await talk.join(ann, group);
    const { record, answered } = talk.try(ann, talk.toGroup(ann, group, content));
    const store = await talk.committingSlowly(content);
    await until('the message to be known', () => record.acknowledged !== null || talk.hasSeen(ben, content));
    // Before another store, which judges the message again, may lead the partition.
    await talk.quit(ann, group, 1);
    await store.end('SIGKILL');
    await talk.say(ben, talk.toGroup(ben, group, 'after it'));
    await answered;
  },
};
