import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type EngineName, URL_VARIABLE } from './engine-name.js';
import { findProgram, type NoProgram } from './find-program.js';
import { underLock } from './process-lock.js';

/** A suite that did not run, as `left-out-reporter.mjs` reads it. */
interface LeftOut {
  readonly suite: string;
  readonly file: string;
  readonly missing: readonly Missing[];
}

interface Missing extends NoProgram {
  readonly engine: EngineName;
}

/**
 * `describe` for tests that use engines, which they start by `startNats` and its siblings in `beforeAll`. Where one
 * is not to be had, the suite is skipped and the run says so at its end; with REQUIRE_ENGINES=1 it fails.
 */
export function describeWithEngines(engines: readonly EngineName[], name: string, suite: () => void): void {
  const missing = missingEngines(engines);
  if (missing.length === 0) return describe(name, suite);
  if (process.env['REQUIRE_ENGINES'] !== '1') return leaveOut(name, suite, missing);
  describe(name, () => failFor(missing));
}

/** What hinders the tests of a whole file, which are run by the file's own `describe` and `it`. */
export function leaveOutFileWithout(
  engines: readonly EngineName[],
  own: readonly EngineName[],
  name: string,
): void {
  const given = own.filter((engine) => process.env[URL_VARIABLE[engine]]).map(notOwn);
  const missing = missingEngines(engines);
  if (given.length + missing.length === 0) return;
  if (missing.length > 0 && process.env['REQUIRE_ENGINES'] === '1') failFor(missing);
  else note(name, [...given, ...missing]);
  // A file may skip by itself too.
  globalThis.describe = Object.assign(describe.skip, { skip: describe.skip });
  globalThis.it = globalThis.test = Object.assign(it.skip, { skip: it.skip });
}

function missingEngines(engines: readonly EngineName[]): Missing[] {
  return engines.flatMap((engine) => notToBeHad(engine) ?? []);
}

function failFor(missing: readonly Missing[]): void {
  it('has the engines that it needs', () => {
    throw new Error(missing.map(({ engine, why, remedy }) => `${engine}: ${why}\n${remedy}`).join('\n'));
  });
}

/** The same for tests that kill, pause or restart engines, which they can do only to their own. */
export function describeWithOwnEngines(
  engines: readonly EngineName[],
  name: string,
  suite: () => void,
): void {
  const given = engines.filter((engine) => process.env[URL_VARIABLE[engine]]);
  if (given.length === 0) return describeWithEngines(engines, name, suite);
  leaveOut(name, suite, given.map(notOwn));
}

function notOwn(engine: EngineName): Missing {
  return {
    engine,
    why: `${URL_VARIABLE[engine]} names one that others started, and this suite needs one of its own`,
    remedy: `unset ${URL_VARIABLE[engine]}`,
  };
}

/** Set by the reporter to a folder that all test files of a run share. */
const RUN_FOLDER = 'STARLING_TEST_RUN';

function leaveOut(name: string, suite: () => void, missing: readonly Missing[]): void {
  note(name, missing);
  describe.skip(name, suite);
}

function note(name: string, missing: readonly Missing[]): void {
  const run = process.env[RUN_FOLDER];
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  const leftOut: LeftOut = { suite: name, file, missing };
  if (run) appendFileSync(join(run, 'left-out.jsonl'), `${JSON.stringify(leftOut)}\n`);
}

/** Installs the engine when it is to be installed. What could not be is not tried again in the same run. */
function notToBeHad(engine: EngineName): Missing | null {
  if (process.env[URL_VARIABLE[engine]]) return null;
  const run = process.env[RUN_FOLDER];
  if (!run) return search(engine);
  const memory = join(run, `${engine}.json`);
  return underLock(
    join(run, `${engine}.lock`),
    () => {
      if (existsSync(memory)) return JSON.parse(readFileSync(memory, 'utf8')) as Missing;
      const missing = search(engine);
      if (missing) writeFileSync(memory, JSON.stringify(missing));
      return missing;
    },
    () => undefined,
  );
}

function search(engine: EngineName): Missing | null {
  const program = findProgram(engine, { machine: process.env, install: true });
  return 'why' in program ? { engine, ...program } : null;
}
