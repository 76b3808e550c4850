import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';

/** The connections of this gateway that are open or closing, by id and by bound user. */
@Injectable()
export class Connections {
  private readonly byId = new Map<string, Connection>();
  private readonly byUser = new Map<string, Set<Connection>>();

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Connection | undefined {
    return this.byId.get(id);
  }

  all(): Iterable<Connection> {
    return this.byId.values();
  }

  /** The connections whose session is of the user. */
  ofUser(userId: string): Iterable<Connection> {
    return this.byUser.get(userId) ?? [];
  }

  add(connection: Connection): void {
    this.byId.set(connection.id, connection);
  }

  /** To be called after the connection's session was set. */
  bound(connection: Connection, userId: string): void {
    const mine = this.byUser.get(userId);
    if (mine === undefined) this.byUser.set(userId, new Set([connection]));
    else mine.add(connection);
  }

  unbound(connection: Connection, userId: string): void {
    const mine = this.byUser.get(userId);
    if (mine === undefined) return;
    mine.delete(connection);
    if (mine.size === 0) this.byUser.delete(userId);
  }

  remove(connection: Connection): void {
    this.byId.delete(connection.id);
    if (connection.session !== null) this.unbound(connection, connection.session.userId);
  }
}
