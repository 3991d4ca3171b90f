/**
 * A Jest 30 preset for Nest applications that use nest-kappa: `"jest": { "preset": "nest-kappa" }`.
 *
 * Jest runs CommonJS, while this package (and Nest from 12 on) is ES modules, and an `import()` inside CommonJS fails in
 * Jest's sandbox. So every file passes the transform, which compiles what needs it and hands on the rest as it is.
 */
module.exports = {
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  resolver: require.resolve('./resolver.cjs'),
  setupFiles: [require.resolve('./errors.cjs')],
  testEnvironment: 'node',
  transform: { '\\.[cm]?[jt]s$': require.resolve('./transform.cjs') },
  transformIgnorePatterns: [],
};
