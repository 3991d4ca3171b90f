const { existsSync } = require('node:fs');
const { resolve } = require('node:path');

/** TypeScript's ES modules import `./cat.js` and mean `./cat.ts`. */
module.exports = (request, options) => {
  if (/^\.{1,2}\/.*\.[cm]?js$/.test(request)) {
    const written = resolve(options.basedir, request);
    const source = written.replace(/\.([cm]?)js$/, '.$1ts');
    if (!existsSync(written) && existsSync(source)) return source;
  }
  return options.defaultResolver(request, options);
};
