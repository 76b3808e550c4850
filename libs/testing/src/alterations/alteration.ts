import { resolve } from 'node:path';

/** One place of the built product that a started process runs differently. */
export interface Edit {
  /** Of the compiled module, below `dist`. */
  readonly file: string;
  /** Stands in the file exactly once, or the process ends at its start: what cannot be found alters nothing. */
  readonly find: string;
  /** JavaScript. */
  readonly replace: string;
}

/**
 * What a started process does differently from the product, for tests that need it to die at an exact place or to be
 * wrong. The product has no switch for either: the text of its modules is altered while Node loads them.
 */
export interface Alteration {
  readonly name: string;
  readonly edits: readonly Edit[];
}

/** What a process that is to run with the alteration is started with. */
export function alterationStart(alteration: Alteration | undefined): {
  args: string[];
  env: Record<string, string>;
} {
  if (alteration === undefined) return { args: [], env: {} };
  return {
    args: ['--import', resolve('libs/testing/src/alterations/alter-on-load.mjs')],
    env: { STARLING_ALTERATION: JSON.stringify(alteration) },
  };
}
