import type { Logger } from 'pino';

/** One line when something stops working and one when it works again, however often it is tried in between. */
export class OutageLog {
  private fails = false;

  constructor(
    private readonly logger: Logger,
    private readonly failing: string,
    private readonly working: string,
  ) {}

  failed(err: unknown): void {
    if (!this.fails) this.logger.warn({ err }, this.failing);
    this.fails = true;
  }

  worked(): void {
    if (this.fails) this.logger.info(this.working);
    this.fails = false;
  }
}
