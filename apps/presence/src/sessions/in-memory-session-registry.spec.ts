import { InMemorySessionRegistry } from './in-memory-session-registry.js';
import { sessionRegistryContract } from './session-registry.contract.js';

sessionRegistryContract('in memory', async (leaseMs) => ({
  registry: new InMemorySessionRegistry(leaseMs),
  stop: async () => {},
}));
