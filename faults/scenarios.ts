import type { Scenario } from './run-scenario.js';
import { gatewayKilled } from './scenarios/gateway-killed.js';
import { mongodbKilled } from './scenarios/mongodb-killed.js';
import { natsKilled } from './scenarios/nats-killed.js';
import { redisKilled } from './scenarios/redis-killed.js';
import { storeKilled } from './scenarios/store-killed.js';

export const SCENARIOS: readonly Scenario[] = [
  storeKilled,
  gatewayKilled,
  natsKilled,
  redisKilled,
  mongodbKilled,
];
