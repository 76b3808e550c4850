import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/**
 * Gives Nest's own lines the form of all others; what it says of its routine start is for debugging. Nest passes a
 * context (and with errors a stack) after the message.
 */
export class NestLog implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    const context = rest.findLast((item) => typeof item === 'string' && !isStack(item));
    const err = [message, ...rest].find((item) => item instanceof Error);
    const stack = err === undefined ? rest.find(isStack) : undefined;
    const text = message instanceof Error ? message.message : message;
    this.logger[level](
      { context, err, stack, ...(typeof text === 'string' ? {} : { details: text }) },
      typeof text === 'string' ? text : 'Nest reports',
    );
  }
}

function isStack(item: unknown): item is string {
  return typeof item === 'string' && /\n\s*at /.test(item);
}
