export default {
  forbidden: [{ name: 'x', severity: 'error', from: { path: '^lib/a' }, to: { path: 'client-s3' } }],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true },
};
