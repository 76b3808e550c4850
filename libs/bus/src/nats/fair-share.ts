/**
 * How many partitions each worker ought to have. Every worker computes the same from the same list, so that the
 * odd ones stay where they are; `workers` are names whose order never changes.
 */
export function fairShare(worker: string, workers: readonly string[], partitions: number): number {
  const place = [...workers].sort().indexOf(worker);
  if (place === -1) return 0;
  return Math.floor(partitions / workers.length) + (place < partitions % workers.length ? 1 : 0);
}
