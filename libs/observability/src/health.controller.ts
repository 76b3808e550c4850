import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { ReadinessChecks, type ReadinessReport } from './readiness-checks.js';

@Controller()
export class HealthController {
  constructor(private readonly readiness: ReadinessChecks) {}

  /** The process lives: its event loop answers. Says nothing of what it depends on, or restarts would spread. */
  @Get('healthz')
  alive(): { alive: true } {
    return { alive: true };
  }

  /** Names and states only; the reasons are in the log. */
  @Get('readyz')
  async ready(): Promise<ReadinessReport> {
    const report = await this.readiness.report();
    if (!report.ready) throw new ServiceUnavailableException(report);
    return report;
  }
}
