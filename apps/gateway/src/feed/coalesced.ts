/**
 * Shares one request among many askers, without giving any of them an answer older than their question: who
 * asks while a request is under way gets the answer of the next one.
 */
export class Coalesced<Answer> {
  private current: Promise<Answer> | null = null;
  private next: Promise<Answer> | null = null;

  constructor(private readonly request: () => Promise<Answer>) {}

  /** The answer to a request that begins after this call. */
  ask(): Promise<Answer> {
    if (this.current === null) return this.begin();
    if (this.next === null) {
      const begin = (): Promise<Answer> => {
        this.next = null;
        return this.begin();
      };
      this.next = this.current.then(begin, begin);
    }
    return this.next;
  }

  private begin(): Promise<Answer> {
    const request = this.request();
    this.current = request;
    const end = (): void => {
      if (this.current === request) this.current = null;
    };
    request.then(end, end);
    return request;
  }
}
