import { submitPathContract } from '../submits/submit-path.contract.js';
import { InProcessSubmits } from './in-process-submits.js';

describe('submits in one process', () => {
  submitPathContract((options) => {
    const submits = new InProcessSubmits(options);
    return Promise.resolve({
      publisher: submits,
      log: submits,
      close: () => Promise.resolve(submits.close()),
    });
  });
});
