/** Counts what each client network holds, up to a limit. */
export class AddressLimit {
  private readonly held = new Map<string, number>();

  constructor(private readonly limit: number) {}

  isFull(network: string): boolean {
    return (this.held.get(network) ?? 0) >= this.limit;
  }

  take(network: string): void {
    this.held.set(network, (this.held.get(network) ?? 0) + 1);
  }

  release(network: string): void {
    const left = (this.held.get(network) ?? 0) - 1;
    if (left > 0) this.held.set(network, left);
    else this.held.delete(network);
  }
}
