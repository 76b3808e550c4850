import type { UserRepository } from './user-repository.js';
import { UsersService } from './users.service.js';

/** Counts what reaches the store. */
class CountingRepository implements UserRepository {
  readonly users = new Set<string>();
  reads = 0;
  writes = 0;

  async has(userId: string): Promise<boolean> {
    this.reads++;
    return this.users.has(userId);
  }

  async add(userId: string): Promise<boolean> {
    this.writes++;
    const created = !this.users.has(userId);
    this.users.add(userId);
    return created;
  }
}

describe('UsersService', () => {
  it('writes at the first login only, and reads only while it does not remember', async () => {
    const repository = new CountingRepository();
    const service = new UsersService(repository);
    expect(await service.makeKnown('ada')).toBe(true);
    expect(await service.makeKnown('ada')).toBe(false);
    expect(await service.knows('ada')).toBe(true);
    expect(repository).toMatchObject({ reads: 1, writes: 1 });
    const restarted = new UsersService(repository);
    expect(await restarted.makeKnown('ada')).toBe(false);
    expect(await restarted.makeKnown('ada')).toBe(false);
    expect(repository).toMatchObject({ reads: 2, writes: 1 });
  });

  it('does not remember that a user is unknown', async () => {
    const repository = new CountingRepository();
    const service = new UsersService(repository);
    expect(await service.knows('ada')).toBe(false);
    await repository.add('ada');
    expect(await service.knows('ada')).toBe(true);
  });

  it('remembers a bounded number of users, those asked for last', async () => {
    const repository = new CountingRepository();
    const service = new UsersService(repository);
    await service.makeKnown('often');
    for (let index = 0; index < 50_000; index++) {
      await service.makeKnown(`user-${index}`);
      if (index % 1000 === 0) await service.knows('often');
    }
    repository.reads = 0;
    await service.knows('often');
    await service.knows('user-49999');
    expect(repository.reads).toBe(0);
    await service.knows('user-0');
    expect(repository.reads).toBe(1);
  });
});
