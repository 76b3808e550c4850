import { MessageStoreRequest, type RequestPattern } from '@starling/bus';
import { Refusal, type ConversationKey } from '@starling/protocol';
import { z } from 'zod';

type RequestOf<Pattern> = Pattern extends RequestPattern<infer Request, unknown> ? Request : never;
type Requests = { [Name in keyof typeof MessageStoreRequest]: RequestOf<(typeof MessageStoreRequest)[Name]> };

export const HISTORY_MAX = 200;
/** More than any gateway asks for at once; a list beyond it is a mistake. */
const LIST_MAX = 100_000;

const conversation = z
  .string()
  .regex(/^(g\.[\w-]+|p\.[\w-]+\.[\w-]+)$/)
  .transform((key) => key as ConversationKey);
/** Unpaired surrogates have no UTF-8: two such ids could become one in the store. */
const id = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed());
const seq = z.int().min(0);
const positions = z.array(z.int().min(0)).min(1);
const cursor = z.object({ conversation, seq });

/** What a request must look like, whoever sent it. Who may read what is decided by the gateway, which knows the session. */
export const MessageStorePayload = {
  positions: z.object({}),
  history: z.object({
    conversation,
    before: seq.nullable(),
    after: seq.nullable(),
    limit: z.int().min(1).max(HISTORY_MAX),
  }),
  repair: z.object({ conversation, from: seq, to: seq, afterPosition: z.int().min(0) }),
  touched: z.object({
    after: positions,
    userId: id.nullable(),
    groupIds: z.array(id).max(LIST_MAX),
    limit: z.int().min(1).max(1000),
  }),
  sync: z.object({
    userId: id,
    groupIds: z.array(id).max(LIST_MAX),
    known: z.array(cursor).max(LIST_MAX),
    limit: z.int().min(0).max(HISTORY_MAX),
    cursor: conversation.nullable(),
  }),
  read: z.object({ userId: id, conversation, seq }),
  saveReplay: z.object({
    entries: z
      .array(z.object({ userId: id, base: positions.nullable(), cursors: z.array(cursor).max(LIST_MAX) }))
      .max(LIST_MAX),
    leaseMs: z.int().min(0),
  }),
  loadReplay: z.object({ userId: id }),
} satisfies { [Name in keyof Requests]: z.ZodType<Requests[Name], unknown> };

/** Refusal: INVALID_FIELD, with the name of the field. */
export function parsePayload<T>(schema: z.ZodType<T, unknown>, payload: unknown): T {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.');
  throw new Refusal('INVALID_FIELD', field ? `${field} is missing or not valid` : undefined);
}
