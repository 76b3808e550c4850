import { z } from 'zod';
import { Command } from '../commands.js';
import { flag, head, optionalText, plainAnswer, type IdSchema } from './field-schemas.js';

const MAX_DEVICE_LENGTH = 128;
export const MAX_PLATFORM_LENGTH = 32;

export function bindRequest(id: IdSchema) {
  return z.looseObject({
    ...head(Command.Bind),
    userId: id,
    /** The client has listeners for the pushes below -10. */
    push: flag.nullish(),
    /** What the client calls itself. */
    device: optionalText.refine((device) => (device?.length ?? 0) <= MAX_DEVICE_LENGTH, {
      error: `must have at most ${MAX_DEVICE_LENGTH} characters`,
    }),
    /** What kind of device it runs on; empty: as absent. */
    platform: optionalText.refine((platform) => (platform?.length ?? 0) <= MAX_PLATFORM_LENGTH, {
      error: `must have at most ${MAX_PLATFORM_LENGTH} characters`,
    }),
  });
}

export const bindAnswer = plainAnswer(Command.BindAnswer);

export function unbindRequest(id: IdSchema) {
  return z.looseObject({ ...head(Command.Unbind), userId: id.nullish() });
}

export const unbindAnswer = plainAnswer(Command.UnbindAnswer);

/** Nothing in a heartbeat is read, so nothing is refused: `parseRequest` lets it pass without this schema. */
export const heartbeatRequest = z.looseObject({ ...head(Command.Heartbeat) });

export const heartbeatAnswer = z.object({ ...head(Command.HeartbeatAnswer) });

export const closingPush = z.object({
  ...head(Command.ClosingPush),
  /** Of `CloseReason`. */
  code: z.int(),
  reason: z.string(),
  reconnect: z.enum(['no', 'now', 'later']),
  /** Milliseconds to wait before coming back; null unless `reconnect` is `later`. */
  retryAfterMs: z.int().nullable(),
});
