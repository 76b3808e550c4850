import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import {
  ROOM_MEMBERS,
  type CloseEvent,
  type PacketEvent,
  type RoomMembers,
  type RoomName,
} from '@starling/rooms';
import { Sessions } from '../commands/sessions.js';
import { Connections } from '../connection/connections.js';
import type { Frame, WireForm } from '../connection/wire-form.js';
import { Feed } from './feed.js';
import { KnownVersions } from './known-versions.js';
import { SilenceCheck } from './silence-check.js';

/** Leads the events of rooms on: messages and heads to the feed, the others straight to the room's connections. */
@Injectable()
export class RoomEvents implements OnModuleInit {
  constructor(
    @Inject(ROOM_MEMBERS) private readonly rooms: RoomMembers,
    private readonly connections: Connections,
    private readonly feed: Feed,
    private readonly check: SilenceCheck,
    private readonly sessions: Sessions,
    private readonly versions: KnownVersions,
  ) {}

  onModuleInit(): void {
    this.rooms.onEvent((room, event) => {
      if (event.kind === 'message') this.feed.receive(event);
      else if (event.kind === 'head') this.feed.catchUp(event);
      else if (event.kind === 'packet') this.writePacket(room, event);
      else this.close(room, event);
    });
    this.rooms.onCut(() => {
      void this.check.check();
      void this.sessions.renew();
    });
  }

  private writePacket(room: RoomName, { packet, except, to, of }: PacketEvent): void {
    if (of && !this.versions.hasReached(of.groupId, of.membershipVersion)) return;
    const frames = new Map<WireForm, Frame>();
    for (const id of this.rooms.membersOf(room) ?? []) {
      const connection = this.connections.get(id);
      if (connection === undefined || id === except) continue;
      if (to === 'pushes' && connection.session?.pushes !== true) continue;
      let frame = frames.get(connection.form);
      if (frame === undefined) {
        frame = connection.form.build(packet);
        frames.set(connection.form, frame);
      }
      connection.write(frame);
    }
  }

  private close(room: RoomName, { sessionId, reason }: CloseEvent): void {
    for (const id of this.rooms.membersOf(room) ?? []) {
      const connection = this.connections.get(id);
      if (connection?.session?.sessionId === sessionId) connection.close(reason);
    }
  }
}
