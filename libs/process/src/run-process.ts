import { ConfigurationError, configFromEnvironment, type Config } from '@starling/config';
import { createLogger, exitOnCrash } from '@starling/observability';
import { StorageStartError } from '@starling/storage';
import type { Logger } from 'pino';

export interface RunningProcess {
  /** What the line `ready` says of it: where to reach it, above all. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Finishes what was begun and resolves when nothing is left. */
  stop(): Promise<void>;
}

interface Life {
  /** Null until it is ready. */
  running: RunningProcess | null;
}

/**
 * The life of every process of Starling: reads the configuration, starts, says that it is ready, and stops in order on
 * SIGTERM or SIGINT. Whatever prevents the start is said in one message for people, and the exit code is 1.
 */
export async function runProcess(
  start: (config: Config, logger: Logger) => Promise<RunningProcess>,
): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config);
  exitOnCrash(logger);
  const life: Life = { running: null };
  stopOnSignal(life, logger);
  try {
    life.running = await start(config, logger);
    logger.info(life.running.facts, 'ready');
  } catch (error) {
    refuseToStart(error, logger);
  }
}

/** Ends the process with the configuration's problems, in one message for people, when it has any. */
export function readConfig(): Config {
  try {
    return configFromEnvironment();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

/**
 * Once; signals that follow change nothing, where without a listener they would end the process at once. The same
 * listener from the beginning to the end: one that comes while listeners are changed is lost, and nothing ever stops.
 */
function stopOnSignal(life: Life, logger: Logger): void {
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (life.running === null) {
      logger.info({ signal }, 'stopped before it was ready');
      process.exit(0);
    }
    if (isStopping) return;
    isStopping = true;
    logger.info({ signal }, 'stopping');
    life.running.stop().then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (err: unknown) => {
        logger.fatal({ err }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

function refuseToStart(error: unknown, logger: Logger): never {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof StorageStartError || error instanceof ConfigurationError) logger.fatal(error.message);
  else if (code === 'EADDRINUSE')
    logger.fatal('PORT is in use by another process; set PORT to a free one, e.g. PORT=3001');
  else if (code === 'EADDRNOTAVAIL')
    logger.fatal('HOST is not an address of this machine, e.g. HOST=127.0.0.1');
  else logger.fatal({ err: error }, 'cannot start');
  process.exit(1);
}
