import {
  PresenceRequest,
  type DevicePolicy,
  type NewSession,
  type RequestPattern,
  type SessionRecord,
} from '@starling/bus';
import { Refusal } from '@starling/protocol';
import { z } from 'zod';

type RequestOf<Pattern> = Pattern extends RequestPattern<infer Request, unknown> ? Request : never;
type Requests = { [Name in keyof typeof PresenceRequest]: RequestOf<(typeof PresenceRequest)[Name]> };

/** Unpaired surrogates have no UTF-8: two such ids could become one in the store. */
const id = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed());

const newSession = z.object({
  sessionId: id,
  userId: id,
  device: z.string().nullable(),
  platform: z.string().min(1).nullable(),
  gatewayId: id,
}) satisfies z.ZodType<NewSession>;

const session: z.ZodType<SessionRecord> = newSession.extend({ since: z.int().min(0) });

const policy: z.ZodType<DevicePolicy> = z.enum(['multi', 'one-per-platform', 'single']);

/** What a request must look like, whoever sent it. */
export const PresencePayload = {
  open: z.object({ session: newSession, maxSessions: z.int().min(1), policy }),
  close: z.object({ sessionId: id, userId: id }),
  leave: z.object({ sessionId: id, userId: id }),
  renew: z
    .object({ gatewayId: id, sessions: z.array(session), policy })
    .refine(({ gatewayId, sessions }) => sessions.every((own) => own.gatewayId === gatewayId), {
      path: ['sessions'],
    }),
  sessions: z.object({ userId: id }),
  knowsUser: z.object({ userId: id }),
  createUser: z.object({ userId: id }),
} satisfies { [Name in keyof Requests]: z.ZodType<Requests[Name]> };

/** Refusal: INVALID_FIELD, with the name of the field. */
export function parsePayload<T>(schema: z.ZodType<T>, payload: unknown): T {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.');
  throw new Refusal('INVALID_FIELD', field ? `${field} is missing or not valid` : undefined);
}
