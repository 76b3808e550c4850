import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';

/** The connections of this gateway, by id and by bound user, until all traces of them are gone. */
@Injectable()
export class Connections {
  private readonly byId = new Map<string, Connection>();
  private readonly byUser = new Map<string, Set<Connection>>();
  private onEmpty: (() => void)[] = [];

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

  /** Resolves when there is none. */
  empty(): Promise<void> {
    if (this.byId.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.onEmpty.push(resolve));
  }

  add(connection: Connection): void {
    this.byId.set(connection.id, connection);
  }

  /** The connection's session was set. */
  bound(connection: Connection, userId: string): void {
    const mine = this.byUser.get(userId);
    if (mine === undefined) this.byUser.set(userId, new Set([connection]));
    else mine.add(connection);
  }

  /** The connection's session was taken away. */
  unbound(connection: Connection, userId: string): void {
    const mine = this.byUser.get(userId);
    if (mine === undefined) return;
    mine.delete(connection);
    if (mine.size === 0) this.byUser.delete(userId);
  }

  remove(connection: Connection): void {
    this.byId.delete(connection.id);
    if (this.byId.size > 0) return;
    for (const resolve of this.onEmpty.splice(0)) resolve();
  }
}
