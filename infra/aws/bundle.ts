/**
 * Each function as one ESM file, minified, with a source map: without Docker or network, and with the same bytes on
 * every machine. The AWS SDK is bundled, so that what was tested is what runs, but only the clients that the function
 * may use (lib/model/permissions.ts): without a permission there is no code for it either.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import { listAwsClients } from '../../lib/model/permissions.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Sources of credentials other than the environment, where Lambda puts them. The SDK imports them only when the
 * environment has none, so they need not be in the bundle.
 */
const otherCredentials = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

/** In place of a client that the function may not use: the same names, and an error for who uses one. */
const omitUnusedClients = (name: FunctionName): Plugin => ({
  name: 'omit-unused-clients',
  setup: ({ onResolve, onLoad, resolve }) => {
    const used = new Set(listAwsClients(name).map((client) => `@aws-sdk/client-${client}`));
    const resolved = {};
    onResolve({ filter: /^@aws-sdk\/client-[a-z0-9-]+$/ }, ({ path, kind, pluginData }) => {
      if (pluginData === resolved) return undefined;
      if (!used.has(path)) return { path, namespace: 'omitted-client', sideEffects: false };
      // One copy of each client, even if a package has its own of another version.
      return resolve(path, { kind, resolveDir: root, pluginData: resolved });
    });
    onLoad({ filter: /.*/, namespace: 'omitted-client' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((it) => /^[A-Za-z_]\w*$/.test(it));
      const exported = names.filter((it) => it !== 'default').map((it) => `NoClient as ${it}`);
      const message = `the bundle of ${name} has no ${path}`;
      return {
        contents: `class NoClient { send() { throw new Error(${JSON.stringify(message)}); } }
export { ${exported.join(', ')} };`,
      };
    });
  },
});

/** For each function the folder that becomes its code. */
export type BundleFolders = Readonly<Record<FunctionName, { readonly folder: string }>>;

/** The file in which Lambda looks for `handler`. */
export const BUNDLE_FILE = 'index.mjs';

const bundleFunction = async (name: FunctionName, folder: string): Promise<void> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: `functions/${name}.ts` },
    // Not where the files are written: source maps must not depend on that.
    outdir: join(root, 'bundles', name),
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    minify: true,
    sourcemap: 'linked',
    sourcesContent: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    external: otherCredentials,
    legalComments: 'none',
    logLevel: 'error',
    plugins: [omitUnusedClients(name)],
  });
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
};

/** Bundles every function into a folder of its own under `into`. */
export const bundleFunctions = async (into: string): Promise<BundleFolders> => {
  const bundles = await Promise.all(
    functionNames.map(async (name) => {
      const folder = join(into, name);
      await bundleFunction(name, folder);
      return [name, { folder }] as const;
    }),
  );
  return Object.fromEntries(bundles) as Record<FunctionName, { folder: string }>;
};
