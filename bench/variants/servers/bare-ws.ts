/** The least that delivers a message to a group: parse it, build its frame's bytes once, write them in a loop. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { announceReady, Command, messageFields, type Packet, succeeded } from './plain-chat.js';

const AS_TEXT = { binary: false };
const HELLO =
  '0{"sid":"none","upgrades":[],"pingInterval":3600000,"pingTimeout":3600000,"maxPayload":1000000}';

const groups = new Map<string, Set<WebSocket>>();

function join(group: string, socket: WebSocket): void {
  const members = groups.get(group) ?? new Set();
  members.add(socket);
  groups.set(group, members);
}

function leaveAll(socket: WebSocket): void {
  for (const members of groups.values()) members.delete(socket);
}

function deliver(sender: WebSocket, ackId: string, packet: Packet): void {
  const fields = JSON.stringify(messageFields(packet)).slice(1);
  const toOthers = Buffer.from(`42["packet",{"version":1,"command":4,"isItMe":false,${fields}]`);
  for (const member of groups.get(String(packet.toUserId)) ?? []) {
    if (member !== sender) member.send(toOthers, AS_TEXT);
  }
  sender.send(`43${ackId}[{"version":1,"command":4,"isItMe":true,${fields}]`);
}

function take(socket: WebSocket, text: string): void {
  if (text === '40') {
    socket.send('40{"sid":"none"}');
    return;
  }
  const begin = text.indexOf('[');
  const ackId = text.slice(2, begin);
  const [, packet] = JSON.parse(text.slice(begin)) as [string, Packet];
  if (packet.command === Command.Send) {
    deliver(socket, ackId, packet);
    return;
  }
  if (packet.command === Command.Join) join(String(packet.chatId), socket);
  socket.send(`43${ackId}[${JSON.stringify(succeeded(packet))}]`);
}

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false });
server.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => take(socket, data.toString()));
  socket.on('close', () => leaveAll(socket));
  socket.on('error', () => socket.terminate());
  socket.send(HELLO);
});
http.listen(0, '127.0.0.1', () => announceReady((http.address() as AddressInfo).port));
