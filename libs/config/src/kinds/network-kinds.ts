import ipaddr from 'ipaddr.js';
import { items, kind, Misfit } from './kind.js';

/** Networks in CIDR form. A bare address is refused, because it is too easily meant as a network. */
export const networks = kind('networks as address/bits, comma-separated', (value) =>
  items(value).map((item, i) => {
    if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(item) && !ipaddr.IPv6.isValidCIDR(item)) {
      throw new Misfit(`must be networks as address/bits, which item ${i + 1} is not`);
    }
    const [address] = ipaddr.parseCIDR(item);
    if (address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress()) {
      throw new Misfit(`must have IPv4 networks in IPv4 form, which item ${i + 1} is not`);
    }
    return item;
  }),
);

/** Origins as browsers write them, so that a handshake's can be compared letter by letter. */
export const origins = kind(
  'origins as scheme://host or scheme://host:port, comma-separated; `loopback`; `*`',
  (value) =>
    items(value).map((item, i) => (item === '*' || item === 'loopback' ? item : originOf(item, i + 1))),
);

function originOf(item: string, place: number): string {
  const misfit = new Misfit(
    `must be origins as scheme://host or scheme://host:port, without a path, and with * only as the whole or first part of the host; item ${place} is none`,
  );
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+\/?$/i.test(item) || !URL.canParse(item)) throw misfit;
  const { protocol, host, hostname } = new URL(item);
  const domain = hostname.startsWith('*.') ? hostname.slice(2) : hostname;
  if (!/^[a-z0-9._-]+$|^\[[0-9a-f:.]+\]$/i.test(domain)) throw misfit;
  return `${protocol}//${host.toLowerCase()}`;
}

/** Their values may hold passwords. */
export const natsServers = kind(
  'URLs as nats://host:port or nats://user:password@host:port, comma-separated',
  (value) => {
    const servers = items(value);
    if (servers.length === 0) throw new Misfit('must name at least one server');
    servers.forEach((server, i) => {
      const url = URL.canParse(server) ? new URL(server) : null;
      if (
        url?.protocol !== 'nats:' ||
        url.hostname === '' ||
        !/^\/?$/.test(url.pathname) ||
        url.search !== ''
      ) {
        throw new Misfit(`must be URLs as nats://host:port, which item ${i + 1} is not`);
      }
    });
    return servers;
  },
);

/** Its value may hold a password. Several hosts make it no URL as `URL` knows them. */
export const mongoUrl = kind('mongodb:// or mongodb+srv:// URL with the name of a database', (value) => {
  if (!/^mongodb(\+srv)?:\/\/[^\s/?#]+/.test(value)) {
    throw new Misfit('must be a URL as mongodb://host:port/database');
  }
  if (!/^[^:]+:\/\/[^/?]+\/[\w-]{1,63}(\?\S*)?$/.test(value)) {
    throw new Misfit('must name a database after the hosts, as mongodb://host:port/database does');
  }
  return value;
});

/** Of something that is spoken to over HTTP; empty: there is none. */
export const httpUrl = kind('URL as http://host:port or https://host', (value) => {
  if (value === '') return '';
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Misfit('must be a URL as http://host:port');
  if (url.search !== '' || url.hash !== '') throw new Misfit('must be a URL without a query');
  if (url.username !== '' || url.password !== '') throw new Misfit('must not hold a user name or password');
  return value;
});

export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (plain === 'localhost') return true;
  return ipaddr.isValid(plain) && ipaddr.process(plain).range() === 'loopback';
}
