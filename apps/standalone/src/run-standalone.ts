import { ConfigurationError, configFromEnvironment, type Config } from '@starling/config';
import { createLogger, exitOnCrash } from '@starling/observability';
import { StorageStartError } from '@starling/storage';
import type { Logger } from 'pino';
import { startStandalone, type Standalone } from './start-standalone.js';

/** The process: reads the configuration, starts, and stops on SIGTERM or SIGINT. */
export async function runStandalone(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config);
  exitOnCrash(logger);
  try {
    const standalone = await startStandalone(config, logger);
    announce(config, standalone.port, logger);
    stopOnSignal(standalone, logger);
  } catch (error) {
    refuseToStart(error, logger);
  }
}

function readConfig(): Config {
  try {
    return configFromEnvironment();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

function announce(config: Config, port: number, logger: Logger): void {
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  logger.info(
    {
      port,
      socketIo: `http://${host}:${port}`,
      bytes: `ws://${host}:${port}${config.WS_PATH}`,
      dataDir: config.DATA_DIR,
    },
    'ready',
  );
}

function stopOnSignal(standalone: Standalone, logger: Logger): void {
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'stopping');
    standalone.stop().then(
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
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function refuseToStart(error: unknown, logger: Logger): never {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof StorageStartError) logger.fatal(error.message);
  else if (code === 'EADDRINUSE')
    logger.fatal('PORT is in use by another process; set PORT to a free one, e.g. PORT=3001');
  else if (code === 'EADDRNOTAVAIL')
    logger.fatal('HOST is not an address of this machine, e.g. HOST=127.0.0.1');
  else logger.fatal({ err: error }, 'cannot start');
  process.exit(1);
}
