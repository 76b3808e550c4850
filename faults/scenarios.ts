import type { Scenario } from './run-scenario.js';
import { gatewayBehind } from './scenarios/gateway-behind.js';
import { gatewayKilled } from './scenarios/gateway-killed.js';
import { gatewayStandsStill } from './scenarios/gateway-stands-still.js';
import { groupsKilledBeforePublish } from './scenarios/groups-killed-before-publish.js';
import { groupsKilled } from './scenarios/groups-killed.js';
import { groupsStandsStill } from './scenarios/groups-stands-still.js';
import { mongodbKilled } from './scenarios/mongodb-killed.js';
import { natsCut } from './scenarios/nats-cut.js';
import { natsKilled } from './scenarios/nats-killed.js';
import { presenceKilled } from './scenarios/presence-killed.js';
import { presenceStandsStill } from './scenarios/presence-stands-still.js';
import { redisCut } from './scenarios/redis-cut.js';
import { redisKilled } from './scenarios/redis-killed.js';
import { redisSilent } from './scenarios/redis-silent.js';
import { rollingRestart } from './scenarios/rolling-restart.js';
import { storeAway } from './scenarios/store-away.js';
import { storeKilledBeforeEmit } from './scenarios/store-killed-before-emit.js';
import { storeKilledBeforeReply } from './scenarios/store-killed-before-reply.js';
import { storeKilled } from './scenarios/store-killed.js';
import { storeStandsStill } from './scenarios/store-stands-still.js';
import { streamsFull } from './scenarios/streams-full.js';

/** Those of one setup follow each other, so that a cluster is started once for all of them. */
export const SCENARIOS: readonly Scenario[] = [
  storeKilled,
  storeStandsStill,
  storeKilledBeforeReply,
  storeKilledBeforeEmit,
  gatewayKilled,
  gatewayStandsStill,
  groupsKilled,
  groupsStandsStill,
  groupsKilledBeforePublish,
  presenceKilled,
  presenceStandsStill,
  natsKilled,
  redisKilled,
  mongodbKilled,
  storeAway,
  rollingRestart,
  natsCut,
  gatewayBehind,
  redisCut,
  redisSilent,
  streamsFull,
];
