/** Whether a client that was closed should come back: `later` means after the `retryAfterMs` of push -14. */
export type Reconnect = 'no' | 'now' | 'later';

export interface CloseReasonDefinition {
  /** WebSocket close code of the byte endpoint, and `code` of push -14 on both endpoints. */
  readonly code: number;
  readonly text: string;
  readonly reconnect: Reconnect;
}

/** Every reason for which the server closes a connection, once. Numbers are stable; `docs/errors.md` lists them. */
export const CloseReason = {
  SHUTDOWN: { code: 4001, text: 'the server is shutting down', reconnect: 'later' },
  LOGIN_TIMEOUT: { code: 4002, text: 'no login within the limit', reconnect: 'now' },
  TOKEN_EXPIRED: { code: 4003, text: 'the token has expired', reconnect: 'now' },
  BROKEN_FRAMES: { code: 4004, text: 'too many broken frames', reconnect: 'no' },
  SLOW_READER: { code: 4005, text: 'the reader does not keep up', reconnect: 'later' },
  FLOOD: { code: 4006, text: 'too many packets above the limit', reconnect: 'later' },
  TOO_MANY_CONNECTIONS: { code: 4007, text: 'too many connections', reconnect: 'later' },
  SILENT: { code: 4008, text: 'nothing was heard from the client', reconnect: 'now' },
  INTERNAL: { code: 4009, text: 'an internal error', reconnect: 'later' },
  DISPLACED: { code: 4010, text: 'the user logged in on another device', reconnect: 'no' },
  SUPERSEDED: { code: 4011, text: 'the same device logged in on another connection', reconnect: 'no' },
} as const satisfies Record<string, CloseReasonDefinition>;

export type CloseReasonName = keyof typeof CloseReason;
