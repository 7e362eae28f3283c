/** mocha's spec reporter, which also writes how many passed, failed and were skipped. */
const { writeFileSync } = require('node:fs');
const {
  reporters: { Spec },
} = require('mocha');

module.exports = class extends Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures, pending } = runner.stats;
      const { output } = options.reporterOptions ?? options.reporterOption ?? {};
      if (output) writeFileSync(output, JSON.stringify({ passes, failures, pending }));
    });
  }
};
