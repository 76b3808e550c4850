/**
 * Plain Socket.IO as its documentation has it: rooms, `to(group).emit`, acknowledgements. With REDIS_URL it is one
 * of several pods over the sharded Redis adapter. Nothing is stored, ordered or repaired.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server, type Socket } from 'socket.io';
import { announceReady, Command, messageFields, type Packet, succeeded } from './plain-chat.js';

async function redisAdapter(url: string) {
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) {
    client.on('error', (error: Error) => process.stderr.write(`${error.message}\n`));
  }
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createShardedAdapter(publisher, subscriber);
}

async function take(socket: Socket, packet: Packet, acknowledge: (answer: object) => void): Promise<void> {
  if (packet.command === Command.Send) {
    const fields = messageFields(packet);
    socket.to(String(packet.toUserId)).emit('packet', { version: 1, command: 4, isItMe: false, ...fields });
    acknowledge({ version: 1, command: 4, isItMe: true, ...fields });
    return;
  }
  if (packet.command === Command.Join) await socket.join(String(packet.chatId));
  acknowledge(succeeded(packet));
}

const { REDIS_URL } = process.env;
const http = createServer();
const server = new Server(http, {
  serveClient: false,
  transports: ['websocket'],
  perMessageDeflate: false,
  pingInterval: 3_600_000,
  pingTimeout: 3_600_000,
  ...(REDIS_URL ? { adapter: await redisAdapter(REDIS_URL) } : {}),
});
server.on('connection', (socket) => {
  socket.on('packet', (packet: Packet, acknowledge: (answer: object) => void) => {
    void take(socket, packet, acknowledge);
  });
});
http.listen(0, '127.0.0.1', () => announceReady((http.address() as AddressInfo).port));
