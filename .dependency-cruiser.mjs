/** The arrows of the house: functions → provision → lists, services (types) ← mixin, aws. */
const from = (path) => ({ path: `^${path}` });
/** A rule: these files may import, of our own code and of packages, nothing but this. */
const only = (name, path, allowed, more = {}) => ({
  name,
  severity: 'error',
  from: { ...from(path), ...more },
  to: { pathNot: allowed.map((it) => `^${it}`), dependencyTypesNot: ['type-only'] },
});

export default {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('functions-build-and-export', 'functions/', ['lib/runtime/lambda.ts', 'lib/provision/']),
    only('provision-decides', 'lib/provision/', [
      'lib/(provision|lists)/',
      'lib/(topology|keystore|log|services).ts',
      'lib/mixin/errors.ts',
      'node_modules/(zod|uuid)/',
      'crypto$',
    ]),
    only('lists-read', 'lib/lists/', [
      'lib/lists/',
      'lib/(topology|keystore).ts',
      'node_modules/(csv-parse|fflate)/',
      'crypto$',
    ]),
    {
      name: 'provision-knows-no-world',
      comment: 'not even as types',
      severity: 'error',
      from: from('lib/(provision|lists)/'),
      to: {
        path: '^(lib/(aws|config|connect|entry)|infra|cli|functions|node_modules/(@aws-sdk|@smithy|aws-lambda|@middy))',
      },
    },
    only('services-are-types', 'lib/model/ports.ts', []),
    only('mixin-speaks', 'lib/mixin/', [
      'lib/mixin/',
      'lib/(topology|keystore).ts',
      'node_modules/(zod|@noble)/',
      'crypto$',
    ]),
    only('aws-keeps', 'lib/aws/', [
      'lib/aws/',
      'lib/(topology|keystore).ts',
      'lib/model/states.ts',
      'timers/promises$',
      'node_modules/(zod|uuid|@aws-sdk|@smithy)/',
    ]),
    only('topology-is-data', 'lib/model/deployment.ts', []),
    {
      name: 'stand-in-checks-independently',
      comment: 'the stand-in Mixin must not share the protocol code it is there to check',
      severity: 'error',
      from: from('infra/local/mixin/'),
      to: { path: '^lib/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'cli-talks-http',
      severity: 'error',
      from: from('cli/'),
      to: {
        path: '^(lib/(provision|lists|mixin|aws|connect|entry)|functions|infra)',
        // The names of the states are data, and must not be written twice.
        pathNot: '^lib/model/states.ts$',
      },
    },
    {
      name: 'product-without-tools',
      comment: 'what runs on Lambda imports no devDependency',
      severity: 'error',
      from: from('(functions|lib)/'),
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types'] },
  },
};
