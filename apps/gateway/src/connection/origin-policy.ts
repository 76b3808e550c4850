/** Whether a handshake with this Origin header may go on; undefined when it has none. */
export type OriginPolicy = (origin: string | undefined) => boolean;

/**
 * `allowed` are entries of ALLOWED_ORIGINS: origins, origins whose host begins with `*.` (any subdomain, not
 * the domain itself), `loopback`, or `*`. A request without Origin does not come from a browser's page, so no
 * page can abuse its user, and it passes. `null`, the origin of sandboxed and local pages, passes only by `*`.
 */
export function originPolicy(allowed: readonly string[]): OriginPolicy {
  if (allowed.includes('*')) return () => true;
  const exact = new Set(allowed);
  const subdomains = allowed
    .filter((entry) => entry.includes('://*.'))
    .map((entry) => entry.split('*') as [string, string]);
  const loopback = allowed.includes('loopback');
  return (origin) => {
    if (origin === undefined) return true;
    if (!ORIGIN.test(origin)) return false;
    if (exact.has(origin)) return true;
    if (loopback && LOOPBACK_PAGE.test(origin)) return true;
    return subdomains.some(([scheme, domain]) => isSubdomain(origin, scheme, domain));
  };
}

/** Browsers write origins in one way only: lower case, no path, no default port. Anything else was made by hand. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:\d{1,5})?$|^https?:\/\/\[[0-9a-f:.]+\](:\d{1,5})?$/;

const LOOPBACK_PAGE = /^https?:\/\/(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/;

function isSubdomain(origin: string, scheme: string, domain: string): boolean {
  return (
    origin.length > scheme.length + domain.length && origin.startsWith(scheme) && origin.endsWith(domain)
  );
}
