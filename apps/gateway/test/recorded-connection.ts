import type { ConversationKey } from '@starling/protocol';
import type { RoomEvent, RoomMembers, RoomName } from '@starling/rooms';
import type { Connection } from '../src/connection/connection.js';
import type { Session } from '../src/connection/session.js';
import type { Frame, WireForm } from '../src/connection/wire-form.js';

export interface Shown {
  readonly conversation: ConversationKey;
  readonly seq: number;
  readonly messageId: string;
  readonly isItMe: boolean;
}

interface RecordedFrame extends Frame {
  readonly packet: string;
}

/** A form whose frames are the packets themselves, and that counts how many were built. */
export class RecordedForm implements WireForm {
  built = 0;

  constructor(
    readonly name: string,
    readonly kind: WireForm['kind'],
  ) {}

  build(packet: string): RecordedFrame {
    this.built++;
    return { form: this, bytes: packet.length, packet };
  }
}

/** A connection that keeps what was written to it; the socket behind it is the test. */
export class RecordedConnection implements Connection {
  readonly address = '127.0.0.1';
  readonly shown: Shown[] = [];
  readonly packets: Record<string, unknown>[] = [];
  session: Session | null;
  isOpen = true;
  closedFor: string | null = null;
  /** Answers of the client's side to pings; pending ones wait for the test. */
  confirms = 0;
  private waiting: ((confirmed: boolean) => void)[] = [];
  autoConfirm = true;
  onShown: (shown: Shown) => void = () => undefined;

  constructor(
    readonly id: string,
    userId: string,
    readonly form: WireForm,
    pushes = false,
  ) {
    this.session = { sessionId: id, userId, device: null, since: 0, pushes, syncs: false };
  }

  send(packet: string): void {
    this.packets.push(JSON.parse(packet) as Record<string, unknown>);
  }

  write(frame: Frame): void {
    if (!this.isOpen) return;
    const packet = JSON.parse((frame as RecordedFrame).packet) as Record<string, unknown>;
    if (packet.command !== 4) {
      this.packets.push(packet);
      return;
    }
    const shown = packet as unknown as Shown;
    this.shown.push(shown);
    this.onShown(shown);
  }

  confirmed(): Promise<boolean> {
    this.confirms++;
    if (!this.isOpen) return Promise.resolve(false);
    if (this.autoConfirm) return Promise.resolve(true);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  answerPings(confirmed: boolean): void {
    for (const resolve of this.waiting.splice(0)) resolve(confirmed);
  }

  close(reason: string): void {
    this.isOpen = false;
    this.closedFor = reason;
    this.answerPings(false);
  }

  seqsOf(conversation: ConversationKey): number[] {
    return this.shown.filter((shown) => shown.conversation === conversation).map(({ seq }) => seq);
  }
}

/** Rooms of one pod, as the port describes them; broadcasts are what the test hands to the feed. */
export class RecordedRooms implements RoomMembers {
  private readonly rooms = new Map<RoomName, Set<string>>();
  private handler: (room: RoomName, event: RoomEvent) => void = () => undefined;
  /** Events may have been lost. */
  cut: () => void = () => undefined;
  /** Milliseconds until the pod is certain to receive a room's events. */
  delay: () => number = () => 0;

  async join(connectionId: string, rooms: RoomName[]): Promise<void> {
    for (const room of rooms) {
      const members = this.rooms.get(room);
      if (members === undefined) this.rooms.set(room, new Set([connectionId]));
      else members.add(connectionId);
    }
    const ms = this.delay();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  leave(connectionId: string, room: RoomName): void {
    const members = this.rooms.get(room);
    members?.delete(connectionId);
    if (members?.size === 0) this.rooms.delete(room);
  }

  drop(connectionId: string): void {
    for (const room of [...this.rooms.keys()]) this.leave(connectionId, room);
  }

  membersOf(room: RoomName): ReadonlySet<string> | undefined {
    return this.rooms.get(room);
  }

  onEvent(handler: (room: RoomName, event: RoomEvent) => void): void {
    this.handler = handler;
  }

  onCut(handler: () => void): void {
    this.cut = handler;
  }

  /** A broadcast that reaches this pod. */
  emit(room: RoomName, event: RoomEvent): void {
    if (this.rooms.has(room)) this.handler(room, event);
  }

  roomsOf(connectionId: string): RoomName[] {
    return [...this.rooms].filter(([, members]) => members.has(connectionId)).map(([room]) => room);
  }
}
