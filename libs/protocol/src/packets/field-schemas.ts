import { z } from 'zod';
import { ChatType, PROTOCOL_VERSION, type CommandNumber } from '../commands.js';

export interface SchemaLimits {
  /** Longest user, group or message id, in UTF-16 code units. */
  readonly maxIdLength: number;
}

/** A user, group or message id: not empty, no unpaired surrogate (it would have no UTF-8). */
export function idSchema({ maxIdLength }: SchemaLimits) {
  return z
    .string({ error: 'must be a string' })
    .min(1, { error: 'must not be empty' })
    .max(maxIdLength, { error: `must have at most ${maxIdLength} characters` })
    .refine((id) => id.isWellFormed(), { error: 'must not hold an unpaired surrogate' });
}

export type IdSchema = ReturnType<typeof idSchema>;

export function head<Command extends CommandNumber>(command: Command) {
  return { version: z.literal(PROTOCOL_VERSION), command: z.literal(command) };
}

export const chatType = z.literal([ChatType.Private, ChatType.Group], {
  error: 'must be 0 (private) or 1 (group)',
});
export const text = z.string({ error: 'must be a string' });
export const optionalText = text.nullish();
export const flag = z.boolean({ error: 'must be true or false' });
export const number = z.number({ error: 'must be a number' });
export const whole = z.int({ error: 'must be a whole number below 2^53' });
export const seq = whole.min(0, { error: 'must not be negative' });

export const succeeded = { success: z.literal(true), errorMsg: z.string() };
export const failed = { success: z.literal(false), errorMsg: z.string(), errorCode: z.int() };

/** An answer that says no more than whether it worked. */
export function plainAnswer<Command extends CommandNumber>(command: Command) {
  return z.discriminatedUnion('success', [
    z.object({ ...head(command), ...succeeded }),
    z.object({ ...head(command), ...failed }),
  ]);
}
