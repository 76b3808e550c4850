import type { Writable } from 'node:stream';
import { loadConfig } from '@starling/config';
import { decodePacketFrame, noCipher } from '@starling/protocol';
import { Registry } from 'prom-client';
import { WebSocket } from 'ws';
import { DeliveryFrames } from './delivery-frames.js';
import { GatewayMetrics } from './gateway-metrics.js';
import { packetText } from './packet-text.js';
import { WireForms, type BuiltFrame, type EncodingForm } from './wire-forms.js';

const KEY = Buffer.alloc(32, 7);

describe('WireForms', () => {
  let metrics: GatewayMetrics;
  let forms: WireForms;

  beforeEach(() => {
    metrics = new GatewayMetrics(new Registry());
    forms = new WireForms(loadConfig({ CIPHER_KEYS: `k1:${KEY.toString('base64')}` }), metrics);
  });

  /** The WebSocket messages in the bytes, by the library's own reader. */
  function messagesOf({ wire }: BuiltFrame): (Buffer | string)[] {
    const messages: (Buffer | string)[] = [];
    const { Receiver } = WebSocket as unknown as { Receiver: new (options: object) => Writable };
    const receiver = new Receiver({ isServer: false });
    receiver.on('message', (data: Buffer, isBinary: boolean) =>
      messages.push(isBinary ? data : data.toString()),
    );
    receiver.write(wire);
    return messages;
  }

  function sealed(packet: string): EncodingForm[] {
    const { cipher } = decodePacketFrame(encrypted(packet), forms.ciphers)!;
    return [forms.byte(cipher), forms.frame(cipher)];
  }

  /** As a client with key k1 would send it. */
  function encrypted(packet: string): Uint8Array {
    const form = [...(forms as unknown as { bytes: Map<{ keyId: string }, EncodingForm> }).bytes].find(
      ([{ keyId }]) => keyId === 'k1',
    )![1];
    return messagesOf(form.encode(packet))[0] as Buffer;
  }

  function textOf(frame: Buffer | string): string {
    return decodePacketFrame(frame as Buffer, forms.ciphers)!.text;
  }

  const packet = packetText(4, { content: 'emoji 😀 and \ud800' });

  it('writes objects as the text event of Socket.IO', () => {
    expect(messagesOf(forms.object.encode(packet))).toEqual([`42["packet",${packet}]`]);
    expect(forms.object.encode(packet).packets).toEqual([`2["packet",${packet}]`]);
    expect(messagesOf(forms.object.acknowledge(packet, 12))).toEqual([`4312[${packet}]`]);
  });

  it('writes frames by Socket.IO as a binary event of one attachment', () => {
    const form = forms.frame(noCipher);
    const [event, attachment, ...more] = messagesOf(form.encode(packet));
    expect(event).toBe('451-["packet",{"_placeholder":true,"num":0}]');
    expect(textOf(attachment!)).toBe(packet);
    expect(more).toEqual([]);
    expect(messagesOf(form.acknowledge(packet, 7))[0]).toBe('461-7[{"_placeholder":true,"num":0}]');
    expect(form.encode(packet).packets.map((part) => typeof part)).toEqual(['string', 'object']);
  });

  it('writes frames of the raw endpoint as one binary message, in CESU-8', () => {
    const [message, ...more] = messagesOf(forms.byte(noCipher).encode(packet));
    expect(more).toEqual([]);
    expect(textOf(message!)).toBe(packet);
    expect((message as Buffer).includes(Buffer.from('eda0bdedb880', 'hex'))).toBe(true);
    expect((message as Buffer)[6]).toBe(4);
  });

  it('encrypts for who spoke with a key, with a fresh nonce each time', () => {
    const [bytes, frame] = sealed(packet);
    const first = bytes!.encode(packet);
    const second = bytes!.encode(packet);
    expect(first.wire.equals(second.wire)).toBe(false);
    expect(textOf(messagesOf(first)[0]!)).toBe(packet);
    expect(textOf(messagesOf(frame!.encode(packet))[1]!)).toBe(packet);
    expect(first.wire.includes(Buffer.from('emoji'))).toBe(false);
  });

  it('are the same object for the same form, so that frames can be shared', () => {
    expect(forms.byte(noCipher)).toBe(forms.byte(noCipher));
    expect(sealed(packet)[0]).toBe(sealed(packet)[0]);
    const names = [forms.object, forms.frame(noCipher), forms.byte(noCipher), ...sealed(packet)].map(
      ({ name }) => name,
    );
    expect(new Set(names).size).toBe(5);
  });

  it('refuse a packet whose command cannot be told', () => {
    expect(() => forms.byte(noCipher).encode('{"command":4,"version":1}')).toThrow(/version and command/);
  });

  it('build a delivery once for each form and isItMe, whatever the number of members', async () => {
    const frames = new DeliveryFrames('"content":"x","seq":1');
    const [bytes] = sealed(packet);
    const all = [forms.object, forms.frame(noCipher), forms.byte(noCipher), bytes!];
    for (let member = 0; member < 100; member++) {
      for (const form of all) {
        expect(frames.for(form, false)).toBe(frames.for(form, false));
        expect(frames.for(form, true)).not.toBe(frames.for(form, false));
      }
    }
    const built = await metrics.encodes.get();
    expect(built.values.map(({ value }) => value)).toEqual([2, 2, 2, 2]);
    expect(messagesOf(frames.for(forms.object, true) as BuiltFrame)).toEqual([
      '42["packet",{"version":1,"command":4,"isItMe":true,"content":"x","seq":1}]',
    ]);
  });

  it('count nothing for what is built for one connection', async () => {
    forms.object.encode(packet);
    expect((await metrics.encodes.get()).values).toEqual([]);
  });
});
