import type { UserRepository } from './user-repository.js';

export interface UserStoreUnderTest {
  readonly repository: UserRepository;
  /** Closes the store and opens it again on the same data. */
  reopen(): Promise<UserRepository>;
  stop(): Promise<void>;
}

const ODD_IDS = [
  '__proto__',
  'constructor',
  "o'hara",
  '"; DROP TABLE users; --',
  '{"$gt":""}',
  'a.b$c',
  'a\u0000b',
  'a\u0000c',
  'A',
  'a',
  'é',
  'e\u0301',
  '用户😀',
  ' ',
];

/** What every implementation of UserRepository promises. */
export function userRepositoryContract(name: string, start: () => Promise<UserStoreUnderTest>): void {
  describe(`user repository: ${name}`, () => {
    let store: UserStoreUnderTest;

    beforeEach(async () => {
      store = await start();
    });

    afterEach(async () => {
      await store.stop();
    });

    it('knows whom it was told of, and keeps ids apart whatever characters they hold', async () => {
      for (const id of ODD_IDS) {
        expect(await store.repository.has(id)).toBe(false);
        expect(await store.repository.add(id)).toBe(true);
        expect(await store.repository.has(id)).toBe(true);
      }
      for (const id of ODD_IDS) expect(await store.repository.add(id)).toBe(false);
    });

    it('tells one of many who add the same user at once that the user is new', async () => {
      const created = await Promise.all(Array.from({ length: 20 }, () => store.repository.add('ada')));
      expect(created.filter(Boolean)).toHaveLength(1);
    });

    it('still knows them after it was opened anew', async () => {
      await store.repository.add('ada');
      const reopened = await store.reopen();
      expect(await reopened.has('ada')).toBe(true);
      expect(await reopened.has('bob')).toBe(false);
    });
  });
}
