import { Injectable } from '@nestjs/common';
import type { MembershipChange } from '@starling/bus';
import type { Connection } from '../connection/connection.js';

@Injectable()
export class GatewayMembership {
  /**
   * First step of a login, after `connection.session` was set: loads the user's groups and joins the rooms.
   * Resolves when this pod is certain to receive them. Next comes `Replay.arrive`. When it rejects (a Refusal),
   * nothing of the connection stays.
   */
  async bind(_connection: Connection): Promise<void> {}

  /** After logout or when the connection ended; before `connection.session` is cleared. Harmless when not bound. */
  unbind(_connection: Connection): void {}

  /** Refusal UNAVAILABLE while the group's members are being loaded again: retry. */
  isMember(_userId: string, _groupId: string): boolean {
    return false;
  }

  /** The version of the group that holds for what the user may do in it now; 0 when not known here. */
  versionOf(_userId: string, _groupId: string): number {
    return 0;
  }

  groupsOf(_userId: string): string[] {
    return [];
  }

  /** Resolves when the change a join or quit of `userId` was answered with is in force on this pod. */
  async applied(_userId: string, _change: MembershipChange): Promise<void> {}
}
