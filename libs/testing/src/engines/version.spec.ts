import { isAtLeast, versionIn } from './version.js';

describe("a program's version", () => {
  it.each([
    ['nats-server: v2.15.1', [2, 15, 1]],
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d4ff3a5d', [7, 0, 15]],
    ['Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64', [9, 1, 2]],
    ['db version v8.0.4\nBuild Info: { "version": "8.0.4" }', [8, 0, 4]],
    ['redis 7.4', [7, 4, 0]],
  ])('is read from %j', (text, version) => {
    expect(versionIn(text)).toEqual(version);
  });

  it('is unknown where there is none', () => {
    expect(versionIn('unknown')).toBeNull();
  });

  it.each([
    [[2, 12, 0], [2, 12], true],
    [[2, 15, 1], [2, 12], true],
    [[3, 0, 0], [2, 12], true],
    [[2, 9, 24], [2, 12], false],
    [[1, 99, 0], [2, 12], false],
    [[7, 0, 0], [7], true],
    [[6, 2, 16], [7], false],
  ])('%j is at least %j: %s', (version, oldest, expected) => {
    expect(isAtLeast(version, oldest)).toBe(expected);
  });
});
