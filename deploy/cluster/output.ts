const WIDTH = 'message-store-2'.length;
const COLOURS = [36, 33, 32, 35, 34, 31];

let lastColour = 0;

export function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

/** What is said by a process, or of it, goes on with its name in front. */
export class Output {
  private readonly prefix: string;

  constructor(private readonly name: string) {
    const padded = name.padEnd(WIDTH);
    const colour = COLOURS[lastColour++ % COLOURS.length];
    this.prefix = process.stdout.isTTY ? `\x1b[${colour}m${padded} |\x1b[0m` : `${padded} |`;
  }

  say(text: string): void {
    for (const line of text.split('\n')) say(`${this.prefix} ${line}`);
  }

  /** What the process could not say itself. */
  tell(what: string): void {
    this.say(`*** ${this.name} ${what}`);
  }
}
