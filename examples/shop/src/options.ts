import type { KappaOptions } from 'nest-kappa';

const { DATABASE_URL, KAPPA_DATA_DIR } = process.env;

/** DATABASE_URL or KAPPA_DATA_DIR where given, else the given folder, wherever the shop is started from. */
export function optionsFor(dataDir: string): KappaOptions {
  return { name: 'shop', database: DATABASE_URL || KAPPA_DATA_DIR ? {} : { dataDir } };
}
