import { leaveOutFileWithout } from '../engines/describe-with-engines.js';
import { stopWhatThisFileShares } from './cluster-installation.js';

// Run by jest's project `cluster` before each test file. Streams of NATS have no prefix, so clusters cannot share one.
leaveOutFileWithout(['nats', 'redis', 'mongodb'], ['nats'], 'on a cluster');
// Eight processes share the machine with the test.
jest.setTimeout(90_000);
afterAll(stopWhatThisFileShares, 60_000);
