// The same by raw byte frames, as webim.js clients speak them. Needs nothing but Node 22. Run: node examples/byte-frame-client.mjs
const url = process.env.STARLING_WS_URL ?? 'ws://127.0.0.1:3000/ws';

function frame(packet) {
  const body = Buffer.from(JSON.stringify({ version: 1, ...packet }));
  const header = Buffer.alloc(11);
  header.writeUInt32BE(0x12345678, 0); // magic
  header.writeInt8(1, 4); // version
  header.writeUInt8(1, 5); // serializer: JSON
  header.writeInt8(packet.command, 6);
  header.writeUInt32BE(body.length, 7);
  return Buffer.concat([header, body]);
}

const socket = new WebSocket(url);
socket.binaryType = 'arraybuffer';
socket.onmessage = ({ data }) => {
  const answer = JSON.parse(Buffer.from(data, 11).toString());
  console.log('←', answer);
  if (answer.command === 2)
    socket.send(
      frame({
        command: 3,
        chatType: 0,
        toUserId: 'bob',
        hasBeenSentId: Date.now(),
        contentType: 0,
        content: 'Hi Bob',
      }),
    );
  if (answer.command === 4) socket.close();
};
socket.onopen = () => socket.send(frame({ command: 1, userId: 'ann' }));
