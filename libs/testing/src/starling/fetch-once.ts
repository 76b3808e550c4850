/** On a connection of its own: one kept from the last time may have been closed, which a busy test process notices too late. */
export function fetchOnce(url: string): Promise<Response> {
  return fetch(url, { headers: { connection: 'close' } });
}
