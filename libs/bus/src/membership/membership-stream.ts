import type { MembershipEvent } from './membership-event.js';

/** The groups service's side. Publishing the same group and version again has no second effect. */
export interface MembershipPublisher {
  /** Resolves when followers are certain to see the event, now or after a reconnect. */
  publish(event: MembershipEvent): Promise<void>;
}

/**
 * The side of gateways and message-stores: all events, each once, a group's in the order of its versions.
 * Ordered reading, not broadcast alone: a lost removal would leave an ex-member listening.
 */
export interface MembershipFollower {
  /**
   * Resolves once following. Everything published after that reaches `onEvent`. `onGap` is called instead of
   * silence when events may have been missed (a lost consumer): reload before delivering anything more.
   */
  follow(onEvent: (event: MembershipEvent) => void, onGap: () => void): Promise<MembershipSubscription>;
}

export interface MembershipSubscription {
  stop(): Promise<void>;
}

export const MEMBERSHIP_PUBLISHER = Symbol('MembershipPublisher');
export const MEMBERSHIP_FOLLOWER = Symbol('MembershipFollower');
