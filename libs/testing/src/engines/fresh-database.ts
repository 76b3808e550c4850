import { randomUUID } from 'node:crypto';

/** The URL of the same MongoDB with the name of a database that nobody has used. */
export function freshDatabase(mongoUrl: string): string {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  return mongoUrl.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?/, `$1/${name}`);
}
