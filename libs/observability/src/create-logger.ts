import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type { Config } from '@starling/config';
import { linesForPeople } from './lines-for-people.js';

/** Field names that never show their value, wherever in the first levels of an entry they stand. */
const SECRET_FIELDS = [
  'token',
  'authorization',
  'Authorization',
  'cookie',
  'password',
  'secret',
  'JWT_SECRET',
  'CIPHER_KEYS',
];

/**
 * The process's logger. It writes synchronously, so what was logged before a crash is there.
 * User-given text belongs into fields, where no control character can end the line.
 * @param output where the lines go; standard output unless given
 */
export function createLogger(
  config: Pick<Config, 'LOG_LEVEL' | 'LOG_FORMAT'>,
  output: DestinationStream & { isTTY?: boolean } = process.stdout,
): Logger {
  const pretty = config.LOG_FORMAT === 'pretty' || (config.LOG_FORMAT === 'auto' && output.isTTY === true);
  const json = output === process.stdout ? pino.destination({ fd: 1, sync: true }) : output;
  return pino(
    {
      level: config.LOG_LEVEL,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[redacted]',
      },
    },
    pretty ? linesForPeople(output, output.isTTY === true) : json,
  );
}
