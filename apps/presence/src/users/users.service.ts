import { Inject, Injectable } from '@nestjs/common';
import { USER_REPOSITORY, type UserRepository } from './user-repository.js';

/** A few megabytes of ids; whoever is not among them costs one read. */
const USERS_REMEMBERED = 50_000;

/** Users become known and stay so: what is remembered here cannot become wrong. */
@Injectable()
export class UsersService {
  /** Least recently asked for first. */
  private readonly remembered = new Set<string>();

  constructor(@Inject(USER_REPOSITORY) private readonly repository: UserRepository) {}

  async knows(userId: string): Promise<boolean> {
    if (this.remembers(userId)) return true;
    const known = await this.repository.has(userId);
    if (known) this.remember(userId);
    return known;
  }

  /** True when the user was not known before. A login of a known user writes nothing. */
  async makeKnown(userId: string): Promise<boolean> {
    if (await this.knows(userId)) return false;
    const created = await this.repository.add(userId);
    this.remember(userId);
    return created;
  }

  private remembers(userId: string): boolean {
    if (!this.remembered.delete(userId)) return false;
    this.remembered.add(userId);
    return true;
  }

  private remember(userId: string): void {
    this.remembered.add(userId);
    if (this.remembered.size <= USERS_REMEMBERED) return;
    for (const oldest of this.remembered) {
      this.remembered.delete(oldest);
      break;
    }
  }
}
