/** The CDK command runs this: it reads settings from its context and writes the assembly. */
import { createApp } from './synth.ts';

try {
  const { app } = await createApp();
  app.synth();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
