/** From settings to an app, and from there to the folders that become the functions' code. */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import { BUNDLE_FILE, type BundleFolders, bundleFunctions } from './bundle.ts';
import { namesOf } from './names.ts';
import { readSettings } from './settings.ts';
import { EnlistStack } from './stack.ts';

export interface MadeApp {
  readonly app: App;
  readonly stack: EnlistStack;
}

export interface AppOptions {
  /** Context beyond what the CDK command brings. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Where the assembly goes. @default what the CDK command says, or a temporary folder */
  readonly outdir?: string;
  /** Code made before. @default the functions are bundled now */
  readonly bundles?: BundleFolders;
}

/** Reads the settings first: a wrong one fails before anything is made. */
export const makeApp = async ({ context = {}, outdir, bundles }: AppOptions = {}): Promise<MadeApp> => {
  const app = new App({ context, ...(outdir !== undefined && { outdir }) });
  const settings = readSettings(app.node.getAllContext());
  const code = bundles ?? (await bundleFunctions(join(app.outdir, 'bundles')));
  return { app, stack: new EnlistStack(app, { settings, bundles: code }) };
};

interface Resource {
  readonly Type: string;
  readonly Properties: { readonly FunctionName?: unknown; readonly Code?: { readonly S3Key: string } };
}

/**
 * Synthesises the stack into `outdir` and returns, for each function, the file in the very asset folder that a
 * deployment would upload.
 */
export const synthesiseCode = async (outdir: string): Promise<Readonly<Record<FunctionName, string>>> => {
  const { app, stack } = await makeApp({ outdir });
  const { template, assembly } = app.synth().getStackByName(stack.stackName);
  const resources = Object.values(template.Resources as Readonly<Record<string, Resource>>);
  const names = namesOf(stack.stage);
  const files = functionNames.map((name) => {
    const made = resources.find(
      ({ Type, Properties }) =>
        Type === 'AWS::Lambda::Function' && Properties.FunctionName === names.function(name),
    );
    if (!made?.Properties.Code) throw new Error(`the template has no code for ${name}`);
    const hash = made.Properties.Code.S3Key.replace(/\.zip$/, '');
    return [name, join(assembly.directory, `asset.${hash}`, BUNDLE_FILE)] as const;
  });
  return Object.fromEntries(files) as Record<FunctionName, string>;
};
