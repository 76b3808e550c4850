import type { Edit } from '@starling/testing';

/** A message whose content has it is stored, and nobody is told of it: as Redis may drop what it was given. */
export const UNHEARD = 'unheard';
/** A batch with a message whose content has it is committed after so long, and logged before and after. */
export const SLOWLY = 'slowly';
/** Time enough to disturb it, on a busy machine too. */
const SLOW_MS = 3000;

export const SLOW_BEGIN = 'begins to commit slowly';
export const SLOW_END = 'has ended to commit slowly';

/**
 * Chances that the product has to live with, made certain. The stores of all exercises run with them, with a
 * deliberate bug and without one.
 */
export const CONDITIONS: readonly Edit[] = [
  {
    file: 'apps/message-store/src/delivery/delivery.js',
    find: 'const event = eventOf(message, span?.traceparent);',
    replace: `const event = eventOf(message, span?.traceparent); if (event.body.includes('${UNHEARD}')) continue;`,
  },
  {
    file: 'apps/message-store/src/partitions/partition-leader.js',
    find: 'return await repository.commit(batch);',
    replace: `
      const messages = JSON.stringify(batch.messages);
      if (!messages.includes('${SLOWLY}')) return await repository.commit(batch);
      this.options.logger.info({ messages }, '${SLOW_BEGIN}');
      await sleep(${SLOW_MS});
      try { return await repository.commit(batch); }
      finally { this.options.logger.info({ messages }, '${SLOW_END}'); }`,
  },
];
