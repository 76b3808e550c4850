import { Logger as NestLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createLogger } from './create-logger.js';
import { NestLog } from './nest-log.js';

function logTo(lines: string[]) {
  return createLogger(
    { LOG_LEVEL: 'trace', LOG_FORMAT: 'json' },
    { write: (line: string) => lines.push(line) },
  );
}

@Module({})
class EmptyModule {}

it("Nest's own lines take the form of all others", async () => {
  const lines: string[] = [];
  const app = await NestFactory.createApplicationContext(EmptyModule, { logger: new NestLog(logTo(lines)) });
  const nest = new NestLogger('Part');
  nest.warn('careful');
  nest.error('failed', new Error('why').stack);
  nest.error(new Error('thrown'));
  nest.log({ some: 'object' });
  nest.verbose('in detail', 'Other');
  await app.close();

  const entries = lines.map((line) => JSON.parse(line));
  expect(entries).toContainEqual(
    expect.objectContaining({
      level: 'debug',
      context: 'NestFactory',
      msg: expect.stringContaining('Starting'),
    }),
  );
  expect(entries).toContainEqual(expect.objectContaining({ level: 'warn', context: 'Part', msg: 'careful' }));
  expect(entries).toContainEqual(
    expect.objectContaining({
      level: 'error',
      context: 'Part',
      msg: 'failed',
      stack: expect.stringContaining('Error: why\n'),
    }),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({
      level: 'error',
      msg: 'thrown',
      err: expect.objectContaining({ type: 'Error' }),
    }),
  );
  expect(entries).toContainEqual(expect.objectContaining({ level: 'debug', details: { some: 'object' } }));
  expect(entries).toContainEqual(expect.objectContaining({ level: 'trace', msg: 'in detail' }));
});
