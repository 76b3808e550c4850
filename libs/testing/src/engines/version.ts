/** The numbers of a version: 7, 0, 15. */
export type Version = readonly number[];

/** The first version in a program's own words (`v7.0.15`, `v=9.1.2`, `db version v8.0.4`); null when it has none. */
export function versionIn(text: string): Version | null {
  const found = /(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return found ? found.slice(1).map((part) => Number(part ?? 0)) : null;
}

export function isAtLeast(version: Version, oldest: Version): boolean {
  for (let i = 0; i < oldest.length; i++) {
    const difference = (version[i] ?? 0) - oldest[i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export function versionText(version: Version): string {
  return version.join('.');
}
