// Two people in a group, over Socket.IO. Run: node examples/socket-io-client.mjs (with `npm start` in another terminal)
import { io } from 'socket.io-client';

async function connect(userId) {
  const socket = io(process.env.STARLING_URL ?? 'http://127.0.0.1:3000', { transports: ['websocket'] });
  const request = (packet) => socket.emitWithAck('packet', { version: 1, ...packet });
  await request({ command: 1, userId });
  await request({ command: 7, chatType: 1, chatId: 'harbour', userId });
  return { socket, request };
}

const ann = await connect('ann');
const bob = await connect('bob');

const arrival = new Promise((resolve) =>
  bob.socket.on('packet', (packet) => packet.command === 4 && resolve(packet)),
);
const message = {
  command: 3,
  chatType: 1,
  toUserId: 'harbour',
  hasBeenSentId: Date.now(),
  contentType: 0,
  content: 'Hello 🐦',
};
const stored = await ann.request(message);
console.log(`stored as message ${stored.seq} of the group:`, stored.success);
console.log(`bob was shown: "${(await arrival).content}"`);

ann.socket.close();
bob.socket.close();
