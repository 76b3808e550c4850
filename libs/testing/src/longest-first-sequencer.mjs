import Sequencer from '@jest/test-sequencer';

/** Of jest's projects, those whose files take minutes, longest first. */
const LONG = ['faults', 'cluster'];

/** Small files come last, so that the workers end together, also where nothing is known of earlier runs. */
export default class LongestFirstSequencer extends Sequencer {
  /** @param {Parameters<Sequencer['sort']>[0]} tests */
  sort(tests) {
    const rank = ({ context }) => LONG.indexOf(context.config.displayName?.name) + 1 || LONG.length + 1;
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
