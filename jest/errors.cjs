const { types } = require('node:util');

/**
 * Jest's sandbox has an `Error` of its own, while Node's modules throw the outer one: `error instanceof Error` is false there for
 * a refused connection or a missing file, and code that asks so goes wrong under test alone. Here it is true, as outside.
 */
const ordinary = Function.prototype[Symbol.hasInstance];

Object.defineProperty(Error, Symbol.hasInstance, {
  configurable: true,
  value(candidate) {
    return ordinary.call(this, candidate) || (this === Error && types.isNativeError(candidate));
  },
});
