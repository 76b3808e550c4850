import fc from 'fast-check';
import { DECODERS, survives, type Decoder } from '../fuzz/decoders.js';

const INPUTS = 3_500;

describe('every decoder', () => {
  it.each([...DECODERS] as Decoder[])('refuses or accepts whatever comes: $name', (decoder) => {
    let accepted = 0;
    fc.assert(
      fc.property(decoder.input, (input) => {
        if (survives(decoder, input)) accepted++;
      }),
      { numRuns: INPUTS },
    );
    expect(accepted).toBeGreaterThan(INPUTS / 100);
    expect(accepted).toBeLessThan(INPUTS);
  });
});
