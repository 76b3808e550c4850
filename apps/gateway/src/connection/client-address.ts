import ipaddr from 'ipaddr.js';

export interface ClientAddress {
  /** In its shortest form; IPv4 also where the socket says `::ffff:1.2.3.4`. */
  readonly address: string;
  /** What limits are counted by: the address, or the /64 of an IPv6 one, as one subscriber has a whole /64. */
  readonly network: string;
}

/** `remoteAddress` is the socket's, `forwardedFor` the X-Forwarded-For header. Never throws. */
export type ClientAddressOf = (
  remoteAddress: string | undefined,
  forwardedFor: string | string[] | undefined,
) => ClientAddress;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Finds the client behind trusted proxies. Each proxy appends to X-Forwarded-For whom it was called by, so the
 * header is read from the right, and only as long as the address before was that of a trusted proxy: what is
 * further left was written by whoever liked to. At an entry that is no address the reading stops.
 */
export function clientAddressOf(trustedProxies: readonly string[]): ClientAddressOf {
  const trusted = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  const isTrusted = (address: Address) =>
    trusted.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));

  return (remoteAddress, forwardedFor) => {
    let address = parseAddress(remoteAddress ?? '');
    if (address === null) return { address: 'unknown', network: 'unknown' };
    if (forwardedFor !== undefined && isTrusted(address)) {
      const entries = String(forwardedFor).split(',');
      while (entries.length > 0 && isTrusted(address)) {
        const next = parseAddress(withoutPort(entries.pop()!.trim()));
        if (next === null) break;
        address = next;
      }
    }
    return { address: address.toString(), network: networkOf(address) };
  };
}

/** Strict: ipaddr.js also takes `0x7f.1` and the like, which no proxy writes. Zones name an interface, not a client. */
function parseAddress(text: string): Address | null {
  const [plain = ''] = text.split('%', 1);
  if (ipaddr.IPv4.isValidFourPartDecimal(plain)) return ipaddr.IPv4.parse(plain);
  if (!ipaddr.IPv6.isValid(plain)) return null;
  const address = ipaddr.IPv6.parse(plain);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Some proxies append the port: `1.2.3.4:567`, `[::1]:567`. */
function withoutPort(entry: string): string {
  return /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ?? entry;
}

function networkOf(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const [a, b, c, d] = (address as ipaddr.IPv6).parts as [number, number, number, number];
  return `${new ipaddr.IPv6([a, b, c, d, 0, 0, 0, 0]).toString()}/64`;
}
