/** `node --import`ed before a service's main module; see alteration.ts. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, URL } from 'node:url';

const dist = new URL('../../../../dist/', import.meta.url);
const { name, edits } = JSON.parse(process.env.STARLING_ALTERATION);
const sources = new Map();

for (const { file, find, replace } of edits) {
  const { href } = new URL(file, dist);
  const source = sources.get(href) ?? readFileSync(fileURLToPath(href), 'utf8');
  const matches = source.split(find).length - 1;
  if (matches !== 1) throw new Error(`${name}: ${file} has ${matches} times, not once:\n${find}`);
  sources.set(
    href,
    source.replace(find, () => replace),
  );
}

registerHooks({
  load(url, context, next) {
    const source = sources.get(url);
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
  },
});
