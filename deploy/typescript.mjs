/**
 * `node --import ./deploy/typescript.mjs x.ts` runs a script of this project from its sources, whatever of
 * TypeScript it and the libraries use. It looks imports up as the build and jest do, and checks no types.
 */
import { transformSync } from '@swc/core';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, URL } from 'node:url';

const root = new URL('../', import.meta.url);
const ours = (url) => url?.startsWith(root.href) && !url.includes('/node_modules/') && url.endsWith('.ts');

registerHooks({
  resolve(specifier, context, next) {
    const lib = /^@starling\/([a-z-]+)$/.exec(specifier)?.[1];
    if (lib !== undefined) return next(new URL(`libs/${lib}/src/index.ts`, root).href, context);
    const isSource = specifier.startsWith('.') && ours(context.parentURL);
    return next(isSource ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
  load(url, context, next) {
    if (!ours(url)) return next(url, context);
    const filename = fileURLToPath(url);
    const { code } = transformSync(readFileSync(filename, 'utf8'), {
      filename,
      jsc: {
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        target: 'es2024',
      },
      module: { type: 'es6' },
      sourceMaps: 'inline',
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
