/** Builds unless `dist` is newer than every source: `npm start` and `npm test` are quick when nothing changed. */
import { spawnSync } from 'node:child_process';
import { globSync, statSync, writeFileSync } from 'node:fs';

const STAMP = 'dist/.built';
const SOURCES = ['{apps,libs}/*/src/**/*.ts', 'package-lock.json', 'tsconfig*.json', 'nest-cli.json'];

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

const builtAt = modifiedAt(STAMP);
const changed = globSync(SOURCES).find((path) => modifiedAt(path) > builtAt);
if (changed !== undefined) {
  console.log(
    builtAt === 0 ? 'Building Starling (a few seconds) …' : `Building Starling, because ${changed} changed …`,
  );
  const { status } = spawnSync('npm run --silent build', { stdio: 'inherit', shell: true });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(STAMP, '');
}
