import type { z } from 'zod';
import type { Kind } from './kinds/kind.js';
import { httpUrl, mongoUrl, natsServers, networks, origins } from './kinds/network-kinds.js';
import { namePart, oneOf, share, text, webSocketPath, whole, yesOrNo } from './kinds/plain-kinds.js';
import { cipherKeys, keySetUrl, publicKey, redisServer, sharedSecret } from './kinds/secret-kinds.js';

/** One environment variable: what it accepts, what it defaults to, and what docs/configuration.md says of it. */
export interface Variable<Schema extends z.ZodType = z.ZodType> extends Kind<Schema> {
  /** The value when the variable is absent, as it would be written in the environment. */
  readonly fallback: string;
  readonly about: string;
  readonly example: string;
}

function variable<Schema extends z.ZodType>(
  kind: Kind<Schema>,
  fallback: string,
  example: string,
  about: string,
): Variable<Schema> {
  return { ...kind, fallback, example, about };
}

const HOUR_MS = 3_600_000;

const LISTENING = {
  HOST: variable(text, '127.0.0.1', '0.0.0.0', 'Address the gateway listens on.'),
  PORT: variable(whole(0, 65535), '3000', '8080', 'Port the gateway listens on; 0 takes a free one.'),
  WS_PATH: variable(webSocketPath, '/ws', '/im', 'Path of the raw WebSocket endpoint for byte frames.'),
  DATA_DIR: variable(
    text,
    './data',
    '/var/lib/starling',
    'Folder of the embedded store; locked by one process.',
  ),
} as const satisfies Record<string, Variable>;

const LOGGING = {
  LOG_LEVEL: variable(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'debug',
    'Lowest level that is logged.',
  ),
  LOG_FORMAT: variable(
    oneOf('auto', 'json', 'pretty'),
    'auto',
    'json',
    'One JSON object a line, or lines for people; `auto`: for people when standard output is a terminal.',
  ),
} as const satisfies Record<string, Variable>;

const TRACING = {
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    httpUrl,
    '',
    'http://otel-collector:4318',
    'Collector that is sent traces of messages, by OpenTelemetry’s OTLP over HTTP; empty: there are none, and messages cost nothing more. OTEL_EXPORTER_OTLP_HEADERS and others of the exporter are read by OpenTelemetry itself.',
  ),
  OTEL_SERVICE_NAME: variable(
    text,
    '',
    'chat-gateway',
    'What this process is called in traces; empty: `starling-gateway`, `starling-message-store` and so on.',
  ),
  OTEL_TRACES_SAMPLER_ARG: variable(
    share,
    '1',
    '0.01',
    'Share of messages whose traces are recorded. The gateway that takes a message decides for all.',
  ),
} as const satisfies Record<string, Variable>;

const ADMISSION = {
  AUTH_MODE: variable(
    oneOf('open', 'jwt'),
    'open',
    'jwt',
    '`open` believes the userId of the login packet (for trying out); `jwt` demands a signed token.',
  ),
  AUTH_OPEN_ANYWHERE: variable(
    yesOrNo,
    'false',
    'true',
    'Second switch that AUTH_MODE=open needs when HOST is not a loopback address.',
  ),
  JWT_SECRET: variable(
    sharedSecret,
    '',
    'at-least-32-characters-of-secret-text',
    'Shared secret of HS256 tokens, at least 32 bytes.',
  ),
  JWT_PUBLIC_KEY: variable(
    publicKey,
    '',
    '-----BEGIN PUBLIC KEY-----…',
    'PEM public key of RS256, ES256 or EdDSA tokens (\\n for line ends), or a path to one.',
  ),
  JWT_JWKS_URL: variable(
    keySetUrl,
    '',
    'https://login.example.com/.well-known/jwks.json',
    'URL of the keys of RS256, ES256 or EdDSA tokens.',
  ),
  JWT_AUDIENCE: variable(text, '', 'chat', 'Audience a token must name; empty: not checked.'),
  JWT_ISSUER: variable(
    text,
    '',
    'https://login.example.com',
    'Issuer a token must name; empty: not checked.',
  ),
  ALLOWED_ORIGINS: variable(
    origins,
    'loopback',
    'https://app.example.com,https://*.example.org',
    'Origins whose pages may connect, comma-separated; `*.` stands for any subdomain, `loopback` for pages of this machine, `*` for every origin. Clients that send no Origin (not browsers) are not concerned.',
  ),
  TRUSTED_PROXIES: variable(
    networks,
    '',
    '10.0.0.0/8,127.0.0.1/32',
    'Networks of proxies whose X-Forwarded-For is believed, comma-separated; none by default.',
  ),
  CIPHER_KEYS: variable(
    cipherKeys,
    '',
    'k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
    'AES-256-GCM keys for encrypted bodies as id:base64, comma-separated. Empty: only plain bodies.',
  ),
} as const satisfies Record<string, Variable>;

const LIMITS = {
  MAX_PACKET_BYTES: variable(
    whole(1024, 16 << 20),
    '65536',
    '131072',
    'Largest packet, frame header included.',
  ),
  MAX_ID_LENGTH: variable(
    whole(8, 1024),
    '128',
    '64',
    'Longest user, group or message id, in UTF-16 code units.',
  ),
  MAX_JSON_DEPTH: variable(whole(2, 256), '32', '16', 'Deepest nesting inside a packet.'),
  MAX_JSON_KEYS: variable(
    whole(16, 100_000),
    '5000',
    '1000',
    'Most keys and array items inside a packet, all levels together.',
  ),
  PACKETS_PER_SECOND: variable(
    whole(1, 1_000_000),
    '100',
    '20',
    'Packets a connection may send per second in the long run.',
  ),
  PACKETS_BURST: variable(whole(1, 1_000_000), '200', '40', 'Packets a connection may send at once.'),
  MAX_UNANSWERED: variable(
    whole(1, 100_000),
    '500',
    '100',
    'Packets of a connection that may wait for their answer at once.',
  ),
  MAX_BROKEN_FRAMES: variable(whole(1, 1000), '5', '3', 'Broken frames after which a connection is closed.'),
  LOGIN_TIMEOUT_MS: variable(whole(50, HOUR_MS), '10000', '5000', 'Time a connection has to log in.'),
  SILENCE_TIMEOUT_MS: variable(
    whole(100, HOUR_MS),
    '30000',
    '15000',
    'A connection from which nothing was heard for this long, not even the answer to a ping, is closed.',
  ),
  MAX_CONNECTIONS_PER_USER: variable(whole(1, 100_000), '20', '5', 'Connections a user may have.'),
  DEVICE_POLICY: variable(
    oneOf('multi', 'one-per-platform', 'single'),
    'multi',
    'one-per-platform',
    'What a login does to the user’s older sessions: nothing (`multi`), ends those of the same platform (`one-per-platform`; a login that names no platform is of the platform without a name), or ends all (`single`). Their connections are told why and closed, on whatever gateway they are.',
  ),
  MAX_CONNECTIONS_PER_ADDRESS: variable(
    whole(1, 1_000_000),
    '1000',
    '200',
    'Connections of one address (with IPv6: of one /64 network) to one gateway.',
  ),
  MAX_OUTBOUND_BYTES: variable(
    whole(65_536, 1 << 30),
    '4194304',
    '1048576',
    'Bytes that may wait for a reader that does not read; then it is closed.',
  ),
} as const satisfies Record<string, Variable>;

const STORING = {
  PARTITIONS: variable(
    whole(1, 1024),
    '8',
    '32',
    'Logs the conversations are spread over. Fixed when the store is first used: another number is refused.',
  ),
  SUBMIT_DEADLINE_MS: variable(
    whole(100, HOUR_MS),
    '10000',
    '5000',
    'Time after which an unanswered message is answered "outcome unknown".',
  ),
  SUBMIT_LOG_MAX: variable(
    whole(1, 10_000_000),
    '100000',
    '20000',
    'Messages that may wait in a partition before new ones are refused.',
  ),
  BATCH_MAX: variable(whole(1, 5000), '500', '200', 'Most messages stored in one transaction.'),
} as const satisfies Record<string, Variable>;

const CLUSTER = {
  NATS_URL: variable(
    natsServers,
    'nats://127.0.0.1:4222',
    'nats://user:password@nats-0:4222,nats://nats-1:4222',
    'Servers of NATS with JetStream, comma-separated; user and password are taken from the first.',
  ),
  NATS_REPLICAS: variable(
    whole(1, 5),
    '1',
    '3',
    'Servers of NATS that each hold a copy of submits, memberships and leases; at most as many as there are.',
  ),
  MONGODB_URL: variable(
    mongoUrl,
    'mongodb://127.0.0.1:27017/starling',
    'mongodb://user:password@mongo-0,mongo-1,mongo-2/starling?replicaSet=rs0',
    'Replica set of MongoDB 7 or newer with the database for messages, groups and users; `npm run migrate` prepares it.',
  ),
  PARTITION_LEASE_MS: variable(
    whole(300, HOUR_MS),
    '5000',
    '3000',
    'Time after which the partitions of a message-store that died are led by another.',
  ),
  REDIS_URL: variable(
    redisServer,
    'redis://127.0.0.1:6379',
    'rediss://user:password@redis:6379',
    'Redis 7 or newer, or Valkey, for the rooms of gateways and the sessions of users.',
  ),
  REDIS_PREFIX: variable(
    namePart,
    'starling',
    'starling-test',
    'How the names of keys and channels in Redis begin. Installations that share one differ in it.',
  ),
} as const satisfies Record<string, Variable>;

const DELIVERY = {
  GROUPS_AUTO_CREATE: variable(
    yesOrNo,
    'true',
    'false',
    'Whether joining a group that does not exist creates it.',
  ),
  JOIN_UNKNOWN: variable(
    oneOf('group', 'private'),
    'group',
    'private',
    'What a join with chatType 0 means when its chatId is neither a known user nor a group.',
  ),
  REPLAY_LEASE_MS: variable(
    whole(0, 30 * 24 * HOUR_MS),
    '600000',
    '3600000',
    'How long the delivery position of a client that never syncs is kept after it went away.',
  ),
  REPLAY_MAX_MESSAGES: variable(
    whole(0, 100_000),
    '500',
    '200',
    'Most messages replayed at the login of such a client; beyond it the newest are kept.',
  ),
  FEED_BUFFER_MAX: variable(
    whole(1, 100_000),
    '500',
    '100',
    'Messages of one conversation that wait for a missing one in a gateway.',
  ),
  FEED_CHECK_MS: variable(
    whole(100, HOUR_MS),
    '15000',
    '5000',
    'How often a gateway asks the store for messages no broadcast told it of.',
  ),
  SESSION_LEASE_MS: variable(
    whole(200, HOUR_MS),
    '30000',
    '60000',
    'How long a session outlives the gateway that stopped renewing it. Below 15000 users may be shown offline while one of several presence services stands still.',
  ),
} as const satisfies Record<string, Variable>;

const STOPPING = {
  DRAIN_MS: variable(
    whole(0, HOUR_MS),
    '5000',
    '20000',
    'Longest time a stopping process spends on finishing what it began.',
  ),
  RECONNECT_WINDOW_MS: variable(
    whole(0, HOUR_MS),
    '5000',
    '30000',
    'Window over which clients of a stopping gateway are told to come back.',
  ),
} as const satisfies Record<string, Variable>;

/** The variables as docs/configuration.md groups them. */
export const VARIABLE_GROUPS: readonly { heading: string; variables: Readonly<Record<string, Variable>> }[] =
  [
    { heading: 'Where it listens and keeps its data', variables: LISTENING },
    { heading: 'Logs', variables: LOGGING },
    { heading: 'Traces', variables: TRACING },
    { heading: 'Who may connect', variables: ADMISSION },
    { heading: 'Limits', variables: LIMITS },
    { heading: 'Storing messages', variables: STORING },
    { heading: 'The cluster', variables: CLUSTER },
    { heading: 'Groups and delivery', variables: DELIVERY },
    { heading: 'Stopping', variables: STOPPING },
  ];

/** Every environment variable Starling reads. */
export const VARIABLES = {
  ...LISTENING,
  ...LOGGING,
  ...TRACING,
  ...ADMISSION,
  ...LIMITS,
  ...STORING,
  ...CLUSTER,
  ...DELIVERY,
  ...STOPPING,
} as const;

export type VariableName = keyof typeof VARIABLES;

/** The whole configuration, typed; the names are those of the environment. */
export type Config = { readonly [Name in VariableName]: z.output<(typeof VARIABLES)[Name]['schema']> };

export const CONFIG = Symbol('Config');
