import { pino } from 'pino';
import { partitionLeasesContract } from '../leases/partition-leases.contract.js';
import { InProcessPartitionLeases } from './in-process-partition-leases.js';

describe('leases in one process', () => {
  partitionLeasesContract(
    async (partitions) => ({
      newWorker: async () => new InProcessPartitionLeases(partitions, pino({ level: 'silent' })),
      close: async () => {},
    }),
    { workers: 'one' },
  );
});
