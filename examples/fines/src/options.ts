import type { KappaOptions } from 'nest-kappa';

const { DATABASE_URL, KAPPA_DATA_DIR } = process.env;

/** DATABASE_URL or KAPPA_DATA_DIR where given, else `.kappa` in this example's own folder, wherever it is started from. */
export function optionsFor(dataDir: string): KappaOptions {
  return { name: 'fines', database: DATABASE_URL || KAPPA_DATA_DIR ? {} : { dataDir } };
}
