import type { IncomingHttpHeaders } from 'node:http';

/** The token of a Socket.IO handshake: `auth.token`, else the bearer of the Authorization header. */
export function tokenOfSocketIo(handshake: { auth: unknown; headers: IncomingHttpHeaders }): string | null {
  const { auth } = handshake;
  const token = typeof auth === 'object' && auth !== null && 'token' in auth ? auth.token : null;
  return typeof token === 'string' && token !== '' ? token : bearerOf(handshake.headers);
}

/** The token of an upgrade on the raw endpoint: the bearer of the Authorization header, else `?token=`. */
export function tokenOfUpgrade(request: { url?: string; headers: IncomingHttpHeaders }): string | null {
  const bearer = bearerOf(request.headers);
  if (bearer !== null) return bearer;
  const [, query = ''] = (request.url ?? '').split('?', 2);
  return new URLSearchParams(query).get('token') || null;
}

/** A request's URL as it may be logged: its path. The query may hold a token, whatever its name there. */
export function urlForLog(url: string | undefined): string {
  const [path = '', ...query] = (url ?? '').split('?');
  return query.length > 0 ? `${path.slice(0, LOGGED_PATH)}?…` : path.slice(0, LOGGED_PATH);
}

const LOGGED_PATH = 200;

function bearerOf(headers: IncomingHttpHeaders): string | null {
  return /^Bearer +([^\s]+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}
