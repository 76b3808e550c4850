import fc from 'fast-check';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DECODERS, survives, type Decoder } from './decoders.js';

const INPUTS_PER_DECODER = 200_000;
const INPUTS_PER_STEP = 20_000;
const HEAP_GROWTH_BYTES = 16 << 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe.each([...DECODERS] as Decoder[])('$name', (decoder) => {
  it('refuses or accepts whatever comes, and keeps nothing of it', () => {
    const seed = Date.now() | 0;
    const run = (step: number): number => {
      let accepted = 0;
      fc.assert(
        fc.property(decoder.input, (input) => {
          if (survives(decoder, input)) accepted++;
        }),
        { numRuns: INPUTS_PER_STEP, seed: seed + step },
      );
      return accepted;
    };
    let accepted = run(0);
    const before = heapUsed();
    for (let done = INPUTS_PER_STEP; done < INPUTS_PER_DECODER; done += INPUTS_PER_STEP) {
      accepted += run(done);
      const growth = heapUsed() - before;
      process.stdout.write(
        `${decoder.name}: ${done + INPUTS_PER_STEP} inputs, ${accepted} accepted, seed ${seed + done}, ` +
          `heap ${growth >= 0 ? '+' : ''}${(growth / 1024).toFixed(0)} KiB\n`,
      );
      expect(growth).toBeLessThan(HEAP_GROWTH_BYTES);
    }
    // Inputs that are all refused (or all accepted) would test one half only.
    expect(accepted).toBeGreaterThan(INPUTS_PER_DECODER / 100);
    expect(accepted).toBeLessThan(INPUTS_PER_DECODER);
  });
});
