import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { killedAt, POINTS, type PointName } from './killed-at.js';

const alterations = (Object.keys(POINTS) as PointName[]).map((point) => killedAt(point, 1));

/** Cheap notice for who changes the product: else a run of minutes ends with it. */
describe('each alteration finds its places in the built product', () => {
  it.each(alterations)('$name', ({ edits }) => {
    for (const { file, find } of edits) {
      const source = readFileSync(resolve('dist', file), 'utf8');
      expect([file, find, source.split(find).length - 1]).toEqual([file, find, 1]);
    }
  });
});
