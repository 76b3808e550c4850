import { Starling, type StarlingOptions } from './starling.js';

/** One server for the tests of a file (or a `describe`): started before them, stopped cleanly after them. */
export function useStarling(options: StarlingOptions = {}): Starling {
  const starling = new Starling(options);
  beforeAll(async () => {
    await starling.start();
  }, 90_000);
  afterEach(() => starling.closeClients());
  afterAll(() => starling.dispose(), 60_000);
  return starling;
}

/** Files are begun one after the other, in less time than this takes to come around (17 hours). */
const FILE_TAG = Date.now().toString(36).slice(-5);
let lastName = 0;

/** Names nobody else has: users and groups of tests that share a server, or what stands behind it. */
export function unique(name: string): string {
  lastName += 1;
  return `${name}-${FILE_TAG}${lastName}`;
}
