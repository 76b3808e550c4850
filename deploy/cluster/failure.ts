/** A failure that is told without a stack. */
export class Failure extends Error {}
