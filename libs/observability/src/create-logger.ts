import {
  pino,
  stdSerializers,
  stdTimeFunctions,
  type Bindings,
  type ChildLoggerOptions,
  type DestinationStream,
  type Logger,
} from 'pino';
import type { Config } from '@starling/config';
import { linesForPeople } from './lines-for-people.js';
import { withoutSecrets } from './without-secrets.js';

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
  const logger = pino(
    {
      level: config.LOG_LEVEL,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => withoutSecrets(fields),
      },
      serializers: { err: serializedError },
    },
    pretty ? linesForPeople(output, output.isTTY === true) : json,
  );
  return withGuardedChildren(logger);
}

/** Anything can be thrown, so anything can stand there. */
function serializedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return withoutSecrets({ ...stdSerializers.err(error) });
}

type Child = (this: Logger, fields: Bindings, options?: ChildLoggerOptions) => Logger;

/** Fields that a child carries along pass by no formatter. Children of children inherit the method. */
function withGuardedChildren(logger: Logger): Logger {
  const child = Reflect.get<object, string>(logger, 'child') as Child;
  const guarded: Child = function (fields, options) {
    return child.call(this, withoutSecrets(fields), options);
  };
  return Object.assign(logger, { child: guarded });
}
