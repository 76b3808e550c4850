import { Injectable } from '@nestjs/common';

/**
 * How far this pod has followed each group with local members. What a message of a later version waits for:
 * its receivers may not be known here yet, and an ex-member may still be in the room.
 */
@Injectable()
export class KnownVersions {
  private readonly versions = new Map<string, number>();
  private readonly blocked = new Set<string>();
  private advance: (groupId: string) => void = () => undefined;
  private lag: (groupId: string) => void = () => undefined;

  /** Set once by the feed: something that waited may be due. */
  onAdvance(handler: (groupId: string) => void): void {
    this.advance = handler;
  }

  /** Set once by the membership: a message has waited for a version for too long. */
  onLag(handler: (groupId: string) => void): void {
    this.lag = handler;
  }

  hasReached(groupId: string, version: number): boolean {
    return (this.versions.get(groupId) ?? -1) >= version && !this.blocked.has(groupId);
  }

  /** The group is known as of `version`; ends a block. */
  reached(groupId: string, version: number): void {
    this.versions.set(groupId, version);
    this.blocked.delete(groupId);
    this.advance(groupId);
  }

  /** Changes may have been missed: nothing of the group is known until `reached` is called. */
  block(groupId: string): void {
    this.blocked.add(groupId);
  }

  /** The group has no local members any more. */
  forget(groupId: string): void {
    this.versions.delete(groupId);
    this.blocked.delete(groupId);
  }

  lagsBehind(groupId: string): void {
    this.lag(groupId);
  }
}
