/**
 * Each function as one ESM file, minified, with a source map: no Docker, no network, the same bytes on every
 * machine. The AWS SDK is bundled, so that what was tested is what runs, but only the clients that the function
 * needs (needs.ts): a function without a right has no code for it either.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type FunctionName, functionNames } from '../../lib/model/deployment.ts';
import { listAwsClients } from '../../lib/model/permissions.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Other sources of credentials than the environment, where Lambda puts them. The SDK imports them one by one
 * when it has found none, which does not happen there.
 */
const otherCredentials = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
];

/** In place of a client that the function does not need: the same names, and an error for whoever uses one. */
const withoutClients = (name: FunctionName): Plugin => ({
  name: 'without-clients',
  setup: ({ onResolve, onLoad, resolve }) => {
    const present = new Set(listAwsClients(name).map((keeper) => `@aws-sdk/client-${keeper}`));
    const resolved = {};
    onResolve({ filter: /^@aws-sdk\/client-[a-z0-9-]+$/ }, ({ path, kind, pluginData }) => {
      if (pluginData === resolved) return undefined;
      if (!present.has(path)) return { path, namespace: 'absent-client', sideEffects: false };
      // One copy of each client, also where a package brings its own of another version.
      return resolve(path, { kind, resolveDir: root, pluginData: resolved });
    });
    onLoad({ filter: /.*/, namespace: 'absent-client' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((it) => /^[A-Za-z_]\w*$/.test(it));
      const exported = names.filter((it) => it !== 'default').map((it) => `Absent as ${it}`);
      const message = `${name} has no ${path}`;
      return {
        contents: `class Absent { send() { throw new Error(${JSON.stringify(message)}); } }
export { ${exported.join(', ')} };`,
      };
    });
  },
});

/** As a namespace zod can be cut to what is used; and none of its fifty languages is. */
const leanZod: Plugin = {
  name: 'lean-zod',
  setup: ({ onLoad, onResolve }) => {
    onLoad({ filter: /[/\\](lib|functions)[/\\].*\.ts$/ }, async ({ path }) =>
      path.includes('node_modules')
        ? undefined
        : {
            loader: 'ts',
            contents: (await readFile(path, 'utf8')).replace(
              /^import \{ z \} from 'zod';$/m,
              "import * as z from 'zod';",
            ),
          },
    );
    onResolve({ filter: /locales\/index\.js$/ }, ({ importer }) =>
      importer.includes('/zod/') ? { path: 'locales', namespace: 'no-languages' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'no-languages' }, () => ({ contents: 'export {};' }));
  },
};

/**
 * The S3 client's shapes have computed keys, which esbuild must keep, used or not. They are constants of the
 * same file: written out, the shapes of the hundred unused commands fall away.
 */
const leanShapes: Plugin = {
  name: 'lean-shapes',
  setup: ({ onLoad }) => {
    onLoad({ filter: /client-s3\/dist-es\/schemas\/schemas_0\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const constants = new Map(
        [...source.matchAll(/^const (_\w+) = ("[^"]*");$/gm)].map(([, k, v]) => [k, v]),
      );
      return {
        contents: source.replace(/\[(_\w+)\]:/g, (all, name) =>
          constants.has(name) ? `${constants.get(name)}:` : all,
        ),
      };
    });
  },
};

/**
 * What the SDK imports late, for calls that stream events and for browsers. Neither happens here, and a bundled
 * late import would keep esbuild from cutting what it shares with the rest.
 */
const withoutLateImports: Plugin = {
  name: 'without-late-imports',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /event-streams(\/index)?$|^bowser$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, namespace: 'late-import' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'late-import' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not bundled`)});`,
    }));
  },
};

/** The clients read their own version from package.json; the rest of it need not travel. */
const leanManifests: Plugin = {
  name: 'lean-manifests',
  setup: ({ onLoad }) => {
    onLoad({ filter: /[/\\]package\.json$/ }, async ({ path }) => {
      const { name, version } = JSON.parse(await readFile(path, 'utf8'));
      return { loader: 'json', contents: JSON.stringify({ name, version }) };
    });
  },
};

export interface Bundle {
  /** The folder that becomes the function's code. */
  readonly folder: string;
  /** Size of the code alone, without its map. */
  readonly bytes: number;
}
/** What the stack needs of them. */
export type BundleFolders = Readonly<Record<FunctionName, Pick<Bundle, 'folder'>>>;
export type Bundles = Readonly<Record<FunctionName, Bundle>>;

/** Lambda looks for `handler` in here. */
export const BUNDLE_FILE = 'index.mjs';

const bundleFunction = async (name: FunctionName, folder: string): Promise<Bundle> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: `functions/${name}.ts` },
    // Where the files would lie, not where they are written: source maps must not depend on that.
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
    plugins: [withoutClients(name), leanZod, leanShapes, leanManifests, withoutLateImports],
  });
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(join(folder, basename(path)), contents);
  const code = outputFiles.find(({ path }) => path.endsWith(BUNDLE_FILE));
  return { folder, bytes: code?.contents.byteLength ?? 0 };
};

/** Bundles every function into a folder of its own under `into`. */
export const bundleFunctions = async (into: string): Promise<Bundles> => {
  const made = await Promise.all(
    functionNames.map(async (name) => [name, await bundleFunction(name, join(into, name))] as const),
  );
  return Object.fromEntries(made) as Record<FunctionName, Bundle>;
};
