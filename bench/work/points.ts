import type { Load } from '../load/offer.js';

/** Groups and their members, each member a connection. */
export interface Shape {
  readonly name: string;
  readonly groups: number;
  readonly connections: number;
}

/** One kind of work at one load, measured for every variant. */
export interface Point {
  readonly name: string;
  readonly shape: Shape;
  readonly load: Load;
  /** Part of the quick run. */
  readonly quick: boolean;
}

const ONE_LARGE_GROUP: Shape = { name: '1 × 1,000', groups: 1, connections: 1000 };
const SMALL_GROUPS: Shape = { name: '100 × 10', groups: 100, connections: 1000 };

function atRate(shape: Shape, sendsPerSecond: number, quick: boolean): Point {
  const deliveries = (sendsPerSecond * shape.connections) / shape.groups / 1000;
  const name = `${shape.name}, ${sendsPerSecond} sends/s = ${deliveries}k deliveries/s`;
  return { name, shape, load: { kind: 'rate', sendsPerSecond }, quick };
}

function saturated(shape: Shape, messages: number): Point {
  return { name: `${shape.name}, saturation`, shape, load: { kind: 'window', messages }, quick: true };
}

export const LARGE_20K = atRate(ONE_LARGE_GROUP, 20, true);
export const LARGE_40K = atRate(ONE_LARGE_GROUP, 40, false);
export const LARGE_SATURATED = saturated(ONE_LARGE_GROUP, 64);
export const SMALL_200 = atRate(SMALL_GROUPS, 200, false);
export const SMALL_1000 = atRate(SMALL_GROUPS, 1000, true);
export const SMALL_20K = atRate(SMALL_GROUPS, 2000, true);
export const SMALL_40K = atRate(SMALL_GROUPS, 4000, false);
export const SMALL_SATURATED = saturated(SMALL_GROUPS, 1000);

export const POINTS: readonly Point[] = [
  LARGE_20K,
  LARGE_40K,
  LARGE_SATURATED,
  SMALL_200,
  SMALL_1000,
  SMALL_20K,
  SMALL_40K,
  SMALL_SATURATED,
];
