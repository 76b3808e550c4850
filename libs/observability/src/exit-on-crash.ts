import type { Logger } from 'pino';

/**
 * An error that nobody caught leaves the process in a state nobody knows: it is logged and the process ends
 * with code 1, to be started again. Nothing acknowledged is lost by that.
 */
export function exitOnCrash(logger: Logger): void {
  const crash = (reason: unknown, origin: string) => {
    // Were logging itself to throw, the process must still end.
    try {
      const err = reason instanceof Error ? reason : new Error(`thrown value of type ${typeof reason}`);
      logger.fatal({ err, origin }, 'an error that nobody caught ends the process');
    } finally {
      process.exit(1);
    }
  };
  process.on('uncaughtException', (error) => crash(error, 'uncaughtException'));
  process.on('unhandledRejection', (reason) => crash(reason, 'unhandledRejection'));
}
