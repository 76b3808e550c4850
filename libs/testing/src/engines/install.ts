import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isAlive, underLock } from './process-lock.js';
import type { Command, CrateRecipe, Recipe, WheelRecipe } from './recipes.js';

/** The machine's environment variables: PATH says what is there, the others where the cache folder is. */
export type Machine = Readonly<Record<string, string | undefined>>;

/** A program could not be installed; the message says why, in words for a person. */
export class NotInstalled extends Error {}

const MANIFEST = 'installed.json';
const PIP_PATIENCE_MS = 10 * 60_000;
const LINES_TOLD = 4;

export function enginesFolder(machine: Machine): string {
  const cache = machine['XDG_CACHE_HOME'] || join(machine['HOME'] || homedir(), '.cache');
  return join(cache, 'starling', 'engines');
}

/** How to run what was installed earlier; null when it was not, or when the Python it runs on is gone. */
export function installed(recipe: Recipe, machine: Machine): Command | null {
  const folder = folderOf(recipe, machine);
  const manifest = join(folder, MANIFEST);
  if (!existsSync(manifest)) return null;
  const { python } = JSON.parse(readFileSync(manifest, 'utf8')) as { python: string | null };
  const command = commandOf(recipe, folder, python ?? '');
  return existsSync(command.argv[0]!) ? command : null;
}

/**
 * Installs it for this user unless it is there. What is being installed stands in a folder of its own until it is
 * whole and has run once, and gets its name by one rename: nobody ever finds half of it.
 * @throws NotInstalled
 */
export function install(recipe: Recipe, machine: Machine): Command {
  const folder = folderOf(recipe, machine);
  const name = basename(folder);
  const lock = `${folder}.lock`;
  return underLock(
    lock,
    () => {
      const already = installed(recipe, machine);
      if (already) return already;
      removeLeftovers(folder);
      rmSync(folder, { recursive: true, force: true });
      say(`Installing ${name} into ${dirname(folder)} (${recipe.takes}) …`);
      const startedAt = Date.now();
      const unfinished = `${folder}.unfinished-${process.pid}`;
      mkdirSync(unfinished, { recursive: true });
      try {
        const python = recipe.kind === 'wheels' ? unpackWheels(recipe, unfinished, machine) : null;
        if (recipe.kind === 'crate') build(recipe, unfinished, folder, machine);
        prove(recipe, commandOf(recipe, unfinished, python ?? ''));
        writeFileSync(join(unfinished, MANIFEST), JSON.stringify({ python }));
        renameUnlessThere(unfinished, folder);
      } finally {
        rmSync(unfinished, { recursive: true, force: true });
      }
      say(`Installed ${name} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`);
      return installed(recipe, machine)!;
    },
    (holder) => say(`Waiting for process ${holder}, which is installing ${name} (it holds ${lock}) …`),
  );
}

function folderOf(recipe: Recipe, machine: Machine): string {
  return join(enginesFolder(machine), `${recipe.program}-${recipe.version}`);
}

function commandOf(recipe: Recipe, folder: string, python: string): Command {
  return recipe.kind === 'wheels'
    ? recipe.command(folder, python)
    : { argv: [join(folder, 'bin', recipe.program)], env: {} };
}

function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

/** What installs that were killed left behind. */
function removeLeftovers(folder: string): void {
  const prefix = `${basename(folder)}.unfinished-`;
  for (const name of readdirSync(dirname(folder))) {
    if (!name.startsWith(prefix) || isAlive(Number(name.slice(prefix.length)))) continue;
    try {
      rmSync(join(dirname(folder), name), { recursive: true, force: true });
    } catch {
      // What the killed installer had started still writes into it. The next install finds it again.
    }
  }
}

/** Returns the interpreter that it was installed for. */
function unpackWheels(recipe: WheelRecipe, folder: string, machine: Machine): string {
  const env = { ...machine };
  const asked = spawnSync('python3', ['-c', 'import pip, sys; print(sys.executable)'], {
    env,
    encoding: 'utf8',
  });
  if (asked.status !== 0) {
    throw new NotInstalled(
      asked.error
        ? 'there is no python3 on the PATH to install it with'
        : 'python3 has no pip to install it with',
    );
  }
  const python = asked.stdout.trim();
  const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--retries', '2'];
  const look = process.stderr.isTTY ? [] : ['--progress-bar', 'off'];
  const what = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', recipe.pins];
  const { status, error, stderr } = spawnSync(python, [...pip, ...look, ...what, '--target', folder], {
    env: { ...env, PIP_ROOT_USER_ACTION: 'ignore' },
    stdio: ['ignore', process.stderr.fd, 'pipe'],
    encoding: 'utf8',
    timeout: PIP_PATIENCE_MS,
  });
  if (status !== 0)
    throw new NotInstalled(`pip could not install it: ${error?.message ?? lastWords(stderr)}`);
  return python;
}

/** Keeps what was compiled until the build is through, so that an interrupted one goes on where it was. */
function build(recipe: CrateRecipe, folder: string, finished: string, machine: Machine): void {
  const compiled = `${finished}.build`;
  const what = [recipe.crate, '--version', recipe.version, '--locked', '--ignore-rust-version'];
  const where = ['--root', folder, '--no-track', '--target-dir', compiled];
  const { status, error } = spawnSync('cargo', ['install', ...what, ...where], {
    env: { ...machine, CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_OPT_LEVEL: '1' },
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
  });
  if (error) throw new NotInstalled('there is no cargo on the PATH to build it with (rustup installs it)');
  if (status !== 0) throw new NotInstalled('cargo could not build it; its output above says why');
  rmSync(compiled, { recursive: true, force: true });
}

function prove(recipe: Recipe, { argv, env }: Command): void {
  const [program, ...args] = argv;
  const { status, error, stderr } = spawnSync(program!, [...args, ...recipe.proof], {
    env,
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new NotInstalled(`what was installed does not run here: ${error?.message ?? lastWords(stderr)}`);
}

/** The last that a program said; of its errors alone when it marks them. */
function lastWords(text: string): string {
  const lines = text.trim().split('\n');
  const errors = lines.filter((line) => line.startsWith('ERROR: '));
  return (errors.length > 0 ? errors : lines).slice(-LINES_TOLD).join('; ');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
