/**
 * In CI a test that is skipped is a failure: what was not run is not known to work. Also notes the counts and the failures for .ci/run,
 * with errors that belong to no test, such as the end of the process that runs a file.
 */
import { appendFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

/** Tests that may be skipped, with the reason. */
const MAY_BE_SKIPPED: Readonly<Record<string, string>> = {
  'IPv6 loopback': 'a container may have no IPv6',
};

const failureOf = (failed: TestCase): string =>
  `${failed.module.relativeModuleId}: ${failed.fullName}: ${failed.result().errors?.[0]?.message}`;

const lineOf = (failure: string): string =>
  `FAILED on Node ${process.versions.node}: ${failure.replaceAll(/\s+/g, ' ')}\n`;

export default class NoSkips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const { SOCKCHART_COUNTS: counts } = process.env;
    const count = (state: 'passed' | 'failed'): number =>
      modules.reduce((sum, module) => sum + [...module.children.allTests(state)].length, 0);
    // A file that cannot be run at all has no tests that could fail.
    const broken = modules.filter(
      (module) => module.state() === 'failed' && [...module.children.allTests('failed')].length === 0,
    );
    // So is one whose process has ended.
    const lost = modules.filter((module) => !['passed', 'failed', 'skipped'].includes(module.state()));
    if (counts !== undefined) {
      const failures = [
        ...errors.map(({ message }) => `an error outside of the tests: ${message}`),
        ...lost.map((module) => `${module.relativeModuleId}: did not come to its end`),
        ...broken.map((module) => `${module.relativeModuleId}: ${module.errors()[0]?.message}`),
        ...modules.flatMap((module) => [...module.children.allTests('failed')].map(failureOf)),
      ];
      appendFileSync(
        counts,
        `${count('passed')} ${count('failed') + broken.length + errors.length}\n${failures.map(lineOf).join('')}`,
      );
    }
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')]);
    const unexpected = skipped.filter(({ name }) => MAY_BE_SKIPPED[name] === undefined);
    for (const { name } of skipped) {
      if (MAY_BE_SKIPPED[name] !== undefined) console.error(`Skipped, for ${MAY_BE_SKIPPED[name]}: ${name}`);
    }
    // One that has failed skips those after it: that failure says more.
    if (unexpected.length === 0 || modules.some((module) => module.state() === 'failed')) return;
    const names = unexpected.map(({ fullName, module }) => `  ${module.relativeModuleId}: ${fullName}`);
    console.error(`\n${unexpected.length} tests were skipped, which CI takes for a failure:\n${names.join('\n')}\n`);
    process.exitCode = 1;
  }
}
