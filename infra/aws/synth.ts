/** From settings to the CDK app, and to the files that a deployment would upload. */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import { BUNDLE_FILE, type BundleFolders, bundleFunctions } from './bundle.ts';
import { readSettings } from './settings.ts';
import { EnlistStack } from './stack.ts';

export interface EnlistApp {
  readonly app: App;
  readonly stack: EnlistStack;
}

export interface AppOptions {
  /** CDK context in addition to that of the CDK command. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Where the assembly is written. @default where the CDK command says, or a temporary folder */
  readonly outdir?: string;
  /** Code that was bundled before. @default the functions are bundled now */
  readonly bundles?: BundleFolders;
}

/** Throws what readSettings throws, before anything is bundled. */
export const createApp = async ({ context = {}, outdir, bundles }: AppOptions = {}): Promise<EnlistApp> => {
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
 * Synthesises the stack into `outdir` and returns, for each function, its file in the asset folder that a deployment
 * would upload.
 */
export const synthesiseCode = async (outdir: string): Promise<Readonly<Record<FunctionName, string>>> => {
  const { app, stack } = await createApp({ outdir });
  const { template, assembly } = app.synth().getStackByName(stack.stackName);
  const resources = Object.values(template.Resources as Readonly<Record<string, Resource>>);
  const files = functionNames.map((name) => {
    const found = resources.find(
      ({ Type, Properties }) =>
        Type === 'AWS::Lambda::Function' && Properties.FunctionName === stack.names.function(name),
    );
    if (!found?.Properties.Code) throw new Error(`the template has no code for ${name}`);
    const hash = found.Properties.Code.S3Key.replace(/\.zip$/, '');
    return [name, join(assembly.directory, `asset.${hash}`, BUNDLE_FILE)] as const;
  });
  return Object.fromEntries(files) as Record<FunctionName, string>;
};
