/** Users who are known: they have logged in once, or an administrator created them. */
export interface UserRepository {
  has(userId: string): Promise<boolean>;
  /** Durable when it resolves. False when the user was known already. */
  add(userId: string): Promise<boolean>;
}

export const USER_REPOSITORY = Symbol('UserRepository');
