import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Says at the end of a run, loudly, which suites did not run for want of an engine, and how to get it. */
export default class LeftOutReporter {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'starling-test-run-'));
    // Inherited by the processes that run the test files, which write what they leave out into it.
    process.env.STARLING_TEST_RUN = this.folder;
  }

  onRunComplete() {
    const file = join(this.folder, 'left-out.jsonl');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    rmSync(this.folder, { recursive: true, force: true });
    if (lines.length > 0) process.stderr.write(report(lines.map((line) => JSON.parse(line))));
  }
}

/** @param {{ suite: string, file: string, missing: { engine: string, why: string, remedy: string }[] }[]} leftOut */
function report(leftOut) {
  const rule = '='.repeat(100);
  const suites = leftOut.map(
    ({ suite, file, missing }) => `  ${suite}  (${file}; ${missing.map(({ engine }) => engine).join(', ')})`,
  );
  const reasons = new Set(
    leftOut.flatMap(({ missing }) =>
      missing.map(({ engine, why, remedy }) => `  ${engine}: ${why}.\n    To get it: ${remedy}.`),
    ),
  );
  return [
    '',
    rule,
    `NOT RUN: ${leftOut.length} ${leftOut.length === 1 ? 'suite' : 'suites'}, for want of an engine.`,
    ...suites,
    '',
    ...reasons,
    '"npm run engines -- --install-only" tries again to install what is missing.',
    'What is passed above says nothing about them. REQUIRE_ENGINES=1 makes a missing engine a failure.',
    rule,
    '',
  ].join('\n');
}
