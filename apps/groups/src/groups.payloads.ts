import { GroupsRequest, MEMBERS_ASKED_MAX, type RequestPattern } from '@starling/bus';
import { Refusal } from '@starling/protocol';
import { z } from 'zod';

type RequestOf<Pattern> = Pattern extends RequestPattern<infer Request, unknown> ? Request : never;
type Requests = { [Name in keyof typeof GroupsRequest]: RequestOf<(typeof GroupsRequest)[Name]> };

/** Unpaired surrogates have no UTF-8: two such ids could become one in the store. */
const id = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed());
const by = id.nullable();

/** What a request must look like, whoever sent it. */
export const GroupsPayload = {
  join: z.object({ groupId: id, userId: id, createIfMissing: z.boolean() }),
  quit: z.object({ groupId: id, userId: id }),
  ofUser: z.object({ userId: id }),
  membersAmong: z.object({ groupId: id, userIds: z.array(id).max(MEMBERS_ASKED_MAX) }),
  create: z.object({ groupId: id, ownerId: id, policy: z.enum(['open', 'closed']) }),
  add: z.object({ groupId: id, userId: id, by }),
  remove: z.object({ groupId: id, userId: id, by }),
  setRole: z.object({ groupId: id, userId: id, role: z.enum(['admin', 'member']), by }),
  dissolve: z.object({ groupId: id, by }),
} satisfies { [Name in keyof Requests]: z.ZodType<Requests[Name]> };

/** Refusal: INVALID_FIELD, with the name of the field. */
export function parsePayload<T>(schema: z.ZodType<T>, payload: unknown): T {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.');
  throw new Refusal('INVALID_FIELD', field ? `${field} is missing or not valid` : undefined);
}
