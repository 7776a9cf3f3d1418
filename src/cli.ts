#!/usr/bin/env node
import { helpText, printable, readArgs, StartError, UsageError } from './cli/args.js';
import { VERSION } from './version.js';

async function main(): Promise<number> {
  const args = readArgs(process.argv.slice(2));
  switch (args.mode) {
    case 'help':
      console.log(helpText());
      return 0;
    case 'version':
      console.log(VERSION);
      return 0;
    case 'run':
      return (await import('./cli/run.js')).run(args);
    case 'export':
      return (await import('./cli/watching.js')).exportFile(args);
    case 'compile':
      return (await import('./cli/compile.js')).compileFile(args);
    case 'diagram':
      return (await import('./cli/diagram.js')).diagramFile(args);
    case 'tour':
      return (await import('./cli/tour.js')).tour(args);
  }
}

// The process ends by itself: anything that kept it alive would be a leak.
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof StartError)) throw error;
  console.error(`sockchart: ${printable(error.message)}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
// But a module of the user's may keep something open.
if (process.argv[2] === 'compile' || process.argv[2] === 'diagram') process.exit();
