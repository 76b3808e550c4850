import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, unfinished } from './outcome.js';
import { runScenario, type Scenario } from './run-scenario.js';
import { Stage } from './stage.js';

/** Plays scenarios one after the other, on the same cluster while it is the right one and all promises held on it. */
export class Stages {
  private stage: Stage | null = null;

  /** `logs`: a folder for what the processes have written, up to the end of each run. */
  constructor(private readonly logs: string) {}

  /** Never rejects: what goes wrong otherwise is a broken promise, too. */
  async play(scenario: Scenario, seed: number): Promise<Outcome> {
    try {
      const stage = await this.stageFor(scenario);
      const outcome = await runScenario(scenario, seed, stage);
      this.writeLogs(scenario, seed);
      if (outcome.verdicts.length > 0) await this.abandon();
      return outcome;
    } catch (error) {
      this.writeLogs(scenario, seed);
      await this.abandon();
      return unfinished(scenario.name, seed, error as Error);
    }
  }

  /** Fails when a process does not stop as it ought to. */
  async close(): Promise<void> {
    const { stage } = this;
    this.stage = null;
    await stage?.close();
  }

  private writeLogs({ name }: Scenario, seed: number): void {
    const folder = join(this.logs, `${name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}-${seed}`);
    rmSync(folder, { recursive: true, force: true });
    this.stage?.writeLogs(folder);
  }

  private async abandon(): Promise<void> {
    const { stage } = this;
    this.stage = null;
    await stage?.abandon();
  }

  private async stageFor({ setup }: Scenario): Promise<Stage> {
    if (this.stage?.setup !== setup) await this.close();
    return (this.stage ??= await Stage.open(setup));
  }
}
