import type { Positions } from '@starling/bus';

/** The higher of both in every partition; one of the two themselves where it is that, so that many can share it. */
export function highest(a: Positions | null, b: Positions): Positions {
  if (a === null || a === b) return b;
  if (isAtLeast(a, b)) return a;
  if (isAtLeast(b, a)) return b;
  return b.map((position, partition) => Math.max(position, a[partition]!));
}

export function isAtLeast(a: Positions | null, b: Positions): boolean {
  return a !== null && a.every((position, partition) => position >= b[partition]!);
}

export function lowest(a: Positions | null, b: Positions): Positions {
  if (a === null) return b;
  return a.map((position, partition) => Math.min(position, b[partition]!));
}
