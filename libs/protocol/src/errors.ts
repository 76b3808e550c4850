/**
 * What a client should do about a refusal.
 * - `fix`: the request is wrong as it stands; sending it again changes nothing.
 * - `login`: log in (again, or with another token), then repeat.
 * - `retry`: send again later; nothing was stored or changed.
 * - `retry-same-id`: the outcome is unknown; send again with the same `hasBeenSentId` and take its answer.
 * - `give-up`: the server will not do this for this user.
 */
export type ErrorAction = 'fix' | 'login' | 'retry' | 'retry-same-id' | 'give-up';

export interface ErrorDefinition {
  readonly code: number;
  /** The `errorMsg` a client sees when the refusal has nothing more precise to say. */
  readonly text: string;
  readonly action: ErrorAction;
}

/**
 * Every refusal, once. Numbers are stable for ever: 1xxx packets and frames, 2xxx sessions, 3xxx groups,
 * 4xxx messages, 5xxx limits, 6xxx the server. `docs/errors.md` describes each; a test compares the two.
 */
export const ErrorCode = {
  BAD_FRAME: { code: 1001, text: 'the frame is broken', action: 'fix' },
  UNKNOWN_SERIALIZER: { code: 1002, text: 'the serializer is not known here', action: 'fix' },
  BAD_JSON: { code: 1003, text: 'the body is not valid JSON', action: 'fix' },
  NOT_A_PACKET: { code: 1004, text: 'the packet needs a version and a command', action: 'fix' },
  PACKET_TOO_LARGE: { code: 1005, text: 'the packet is too large', action: 'fix' },
  TOO_DEEP: { code: 1006, text: 'the packet is nested too deeply or has too many keys', action: 'fix' },
  FORBIDDEN_KEY: { code: 1007, text: 'the packet has a key that is not allowed', action: 'fix' },
  UNKNOWN_COMMAND: { code: 1008, text: 'the command is not known', action: 'fix' },
  INVALID_FIELD: { code: 1009, text: 'a field is missing or has the wrong type', action: 'fix' },
  UNSUPPORTED_VERSION: { code: 1010, text: 'the protocol version is not supported', action: 'fix' },
  DECRYPTION_FAILED: { code: 1011, text: 'the body could not be decrypted', action: 'fix' },

  NOT_LOGGED_IN: { code: 2001, text: 'log in first', action: 'login' },
  ALREADY_BOUND: { code: 2002, text: 'the connection is bound to another user', action: 'fix' },
  NOT_THE_BOUND_USER: { code: 2003, text: 'the packet names another user than the bound one', action: 'fix' },
  TOKEN_MISSING: { code: 2004, text: 'a token is required', action: 'login' },
  TOKEN_INVALID: { code: 2005, text: 'the token is not valid', action: 'login' },
  TOKEN_EXPIRED: { code: 2006, text: 'the token has expired', action: 'login' },
  TOKEN_OF_ANOTHER_USER: { code: 2007, text: 'the token belongs to another user', action: 'login' },

  NOT_A_MEMBER: { code: 3001, text: 'not a member of the group', action: 'give-up' },
  GROUP_NOT_FOUND: { code: 3002, text: 'the group does not exist', action: 'give-up' },
  GROUP_NOT_OPEN: { code: 3003, text: 'the group is not open for joining', action: 'give-up' },
  REMOVED_FROM_GROUP: { code: 3004, text: 'removed from the group by somebody else', action: 'give-up' },
  NOT_ALLOWED_IN_GROUP: { code: 3005, text: 'the role in the group does not allow this', action: 'give-up' },
  GROUP_EXISTS: { code: 3006, text: 'a group of that id exists', action: 'fix' },

  MESSAGE_ID_MISSING: { code: 4001, text: 'hasBeenSentId is missing', action: 'fix' },
  NOT_ACCEPTED: { code: 4002, text: 'the message was not accepted; nothing was stored', action: 'retry' },
  OUTCOME_UNKNOWN: {
    code: 4003,
    text: 'the outcome is unknown; retry with the same hasBeenSentId',
    action: 'retry-same-id',
  },
  NOT_STORABLE: { code: 4004, text: 'the message cannot be stored', action: 'fix' },

  RATE_LIMITED: { code: 5001, text: 'too many packets; slow down', action: 'retry' },
  TOO_MANY_CONNECTIONS: { code: 5002, text: 'too many connections of this user', action: 'give-up' },
  TOO_MANY_CONNECTIONS_OF_ADDRESS: {
    code: 5003,
    text: 'too many connections from this address',
    action: 'retry',
  },
  TOO_MANY_UNANSWERED: { code: 5004, text: 'too many unanswered packets; wait for answers', action: 'retry' },

  INTERNAL: { code: 6001, text: 'an internal error; it has been logged', action: 'retry-same-id' },
  UNAVAILABLE: { code: 6002, text: 'a part of the server does not answer', action: 'retry' },
  SHUTTING_DOWN: { code: 6003, text: 'the server is shutting down', action: 'retry' },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorName = keyof typeof ErrorCode;

/**
 * A refusal on its way to whoever asked: `error` names the documented code, `message` is shown to the
 * client and therefore never holds a stack, a token or another user's data.
 */
export class Refusal extends Error {
  constructor(
    readonly error: ErrorName,
    message?: string,
  ) {
    super(message ?? ErrorCode[error].text);
    this.name = 'Refusal';
  }

  get code(): number {
    return ErrorCode[this.error].code;
  }
}
