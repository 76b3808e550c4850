import type { MembershipEvent } from '@starling/bus';

interface Link {
  event: MembershipEvent | null;
  next: Link | null;
}

/**
 * The changes that came while a snapshot was being fetched. Each fetch keeps the link it began at; links that no
 * fetch keeps any more are garbage, so that nothing grows while fetches always overlap.
 */
export class ChangeChain {
  private end: Link = { event: null, next: null };

  append(event: MembershipEvent): void {
    const link: Link = { event, next: null };
    this.end.next = link;
    this.end = link;
  }

  /** To be called before the snapshot is asked for; the result reads the changes appended since. */
  mark(): () => Iterable<MembershipEvent> {
    const since = this.end;
    return function* () {
      for (let link = since.next; link !== null; link = link.next) yield link.event!;
    };
  }
}
