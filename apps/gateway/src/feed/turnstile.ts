/** Lets at most so many through at once; the others wait in line. */
export class Turnstile {
  private inside = 0;
  private readonly line: (() => void)[] = [];

  constructor(private readonly atOnce: number) {}

  async pass<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.inside >= this.atOnce) await new Promise<void>((resolve) => this.line.push(resolve));
    else this.inside++;
    try {
      return await work();
    } finally {
      const next = this.line.shift();
      if (next === undefined) this.inside--;
      else next();
    }
  }
}
