import { z } from 'zod';

/** What a variable takes: the schema that reads its text, and the words docs/configuration.md has for it. */
export interface Kind<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  readonly accepts: string;
}

/** A kind whose text is read by `read`, which returns the value or throws a `Misfit` that says what is wrong. */
export function kind<Value>(accepts: string, read: (text: string) => Value) {
  const schema = z.string().transform((text, context): Value => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
  return { schema, accepts };
}

/** What is wrong with a value, in words that go on after the variable's name and never repeat the value. */
export class Misfit extends Error {}

export function items(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
