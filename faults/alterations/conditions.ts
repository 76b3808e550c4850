import type { Edit } from '@starling/testing';

/** A message whose content has it is stored, and nobody is told of it: as Redis may drop what it was given. */
export const UNHEARD = 'unheard';
/** A batch with a message whose content has it is committed after so long, and logged before and after. */
export const SLOWLY = 'slowly';
/** Time enough to disturb it, on a busy machine too. */
const SLOW_MS = 3000;

export const SLOW_BEGIN = 'begins to commit slowly';
export const SLOW_END = 'has ended to commit slowly';

/** In a group whose id has it, all changes after the first two come late to each gateway without a user named so. */
export const HEARD_LATE = 'heard of late';
export const HEARS_AT_ONCE = 'ben';
const LATE_MS = 6000;

/** By app: chances that the product has to live with, made certain. Exercises run with them, with a bug and without. */
export const CONDITIONS = {
  gateway: [
    {
      file: 'apps/gateway/src/membership/gateway-membership.js',
      find: '(event) => this.take(event)',
      replace: `(event) => {
        const isLate = event.groupId.includes('${HEARD_LATE}') && event.version > 2;
        if (!isLate || [...this.users.keys()].some((userId) => userId.startsWith('${HEARS_AT_ONCE}'))) this.take(event);
        else setTimeout(() => this.take(event), ${LATE_MS});
      }`,
    },
  ],
  groups: [],
  'message-store': [
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
  ],
} as const satisfies Record<string, readonly Edit[]>;
