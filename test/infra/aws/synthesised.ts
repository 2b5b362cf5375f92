/** The stack as CloudFormation would get it, for tests of the template. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../../infra/aws/synth.ts';
import { functionNames } from '../../../lib/model/deployment.ts';

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: templates have any shape
  readonly Properties: Record<string, any>;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Template {
  readonly Resources: Record<string, Resource>;
  readonly Outputs: Record<string, { readonly Value: unknown }>;
}

/** Code that does nothing, because the template does not depend on the code. */
const emptyBundles = (root: string) => {
  const folders = functionNames.map((name) => {
    const folder = join(root, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'index.mjs'), `export const handler = () => '${name}';\n`);
    return [name, { folder }] as const;
  });
  return Object.fromEntries(folders) as Record<(typeof functionNames)[number], { folder: string }>;
};

const createStack = async (context: Readonly<Record<string, unknown>>) => {
  const folder = mkdtempSync(join(tmpdir(), 'enlist-assembly-'));
  const bundles = emptyBundles(folder);
  const { app, stack } = await createApp({ context, outdir: join(folder, 'cdk.out'), bundles });
  const { template } = app.synth().getStackByName(stack.stackName);
  rmSync(folder, { recursive: true });
  return { app, stack, template: template as Template };
};

const cache = new Map<string, ReturnType<typeof createStack>>();

/** The stack with these settings. It is synthesised once, and no test may change it. */
export const synthesise = (context: Readonly<Record<string, unknown>> = {}) => {
  const key = JSON.stringify(context);
  const result = cache.get(key) ?? createStack(context);
  cache.set(key, result);
  return result;
};

/** The resources of a type with their logical ids. */
export const findResources = (template: Template, type: string): readonly (readonly [string, Resource])[] =>
  Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);

/** The logical id in a reference: `{ Ref }` or `{ 'Fn::GetAtt': [id, …] }`. */
export const readTarget = (reference: unknown): string | undefined => {
  const { Ref, 'Fn::GetAtt': got } = (reference ?? {}) as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  return Ref ?? got?.[0];
};

/** Strings, joins and references as one text: `${LogicalId}` stands for a reference. */
export const flatten = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const join = (value as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'];
  if (join) return join[1].map(flatten).join(join[0]);
  const target = readTarget(value);
  return target === undefined ? JSON.stringify(value) : `\${${target}}`;
};
