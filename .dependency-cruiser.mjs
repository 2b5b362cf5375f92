/**
 * The arrows between the folders: functions → runtime → api, batches, bots → lists, model ← mixin, aws.
 * A file that a rule names may import only what the rule lists, of our own code and of packages.
 */
const only = (name, path, allowed) => ({
  name,
  severity: 'error',
  from: { path: `^${path}` },
  to: { pathNot: allowed.map((pattern) => `^${pattern}`) },
});

const zod = 'node_modules/zod/';

export default {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('functions-wrap-and-export', 'functions/', ['lib/(runtime|api|batches|bots)/']),
    only('api-answers', 'lib/api/', [
      'lib/(api|batches|bots|lists|model)/',
      zod,
      'node_modules/uuid/',
      'crypto$',
    ]),
    only('contract-runs-in-any-browser', 'lib/api/(contract|schemas|problems)\\.ts$', [
      'lib/api/(contract|schemas|problems)\\.ts$',
      'lib/(lists|model)/',
      zod,
    ]),
    only('batches-follow-lists', 'lib/batches/', [
      'lib/(batches|bots|lists|model)/',
      zod,
      'node_modules/uuid/',
      'crypto$',
    ]),
    only('bots-follow-bots', 'lib/bots/', ['lib/(bots|lists|model)/', zod, 'node_modules/uuid/', 'crypto$']),
    only('lists-read-in-any-browser', 'lib/lists/', ['lib/(lists|model)/', zod]),
    only('model-imports-nothing', 'lib/model/', ['lib/model/', zod]),
    only('mixin-implements-ports', 'lib/mixin/', [
      'lib/(mixin|model)/',
      'node_modules/(zod|@noble)/',
      '(crypto|https?|stream)$',
    ]),
    only('aws-implements-ports', 'lib/aws/', [
      'lib/(aws|model)/',
      'timers/promises$',
      'node_modules/(zod|uuid|@aws-sdk|@smithy)/',
    ]),
    {
      name: 'emulators-check-independently',
      comment: 'the stand-in for Mixin must not share the protocol code that it is there to check',
      severity: 'error',
      from: { path: '^emulators/' },
      to: { path: '^(lib|infra|functions|cli)/' },
    },
    {
      name: 'cli-speaks-http',
      comment: 'enlist check reads lists itself, with the same keys and compression as intake',
      severity: 'error',
      from: { path: '^cli/', pathNot: '^cli/(commands/start|folder-target)\\.ts$' },
      to: {
        path: '^(lib|functions|infra)/',
        pathNot: '^lib/(api/contract|model|lists)|^lib/(mixin/keys|runtime/compression)\\.ts$',
      },
    },
    {
      name: 'cli-starts-the-embedded-stack-in-two-places',
      severity: 'error',
      from: { path: '^cli/(commands/start|folder-target)\\.ts$' },
      to: { path: '^(lib|functions|infra)/', pathNot: '^infra/local/' },
    },
    {
      name: 'cloud-is-built-from-data',
      severity: 'error',
      from: { path: '^infra/aws/' },
      to: { path: '^lib/', pathNot: '^lib/(model/|api/contract)' },
    },
    {
      name: 'product-without-tools',
      comment: 'what runs on Lambda imports no devDependency',
      severity: 'error',
      from: { path: '^(functions|lib)/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg'],
        // A name of package.json's `imports` stands for a dependency there.
        dependencyTypesNot: ['type-only', 'aliased-subpath-import'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types'] },
  },
};
