/** `cdk` runs this: settings from its context, the assembly where it says. */
import { makeApp } from './synth.ts';

try {
  const { app } = await makeApp();
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
