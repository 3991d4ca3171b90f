import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appDatabase, type AppDatabase } from './app-database.js';
import { appFolder, json, root, run } from './run-command.js';

interface Plan {
  readonly plan: readonly { readonly projection: string; readonly version: number; readonly action: string }[];
}
interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly nextStep: string };
}

const withPaths = (text: string): string => text.replace(/'\.\/money(\.js)?'/, "'@app/money'");

const BOTH = ['fines', 'payments_per_fine'];

describe('loading the definitions of an application', { timeout: 120_000 }, () => {
  let base: AppDatabase;
  const folders: string[] = [];

  beforeAll(async () => {
    base = await appDatabase();
  });
  afterAll(async () => {
    await base.drop();
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  /** A copy of the fixture outside this repository, as an application has it: packages in node_modules. */
  async function copyOfApp(
    manifest: object,
    change: (file: string, text: string) => string = (_, text) => text,
  ): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'kappa-app-'));
    folders.push(folder);
    await cp(appFolder, folder, { recursive: true });
    for (const file of ['kappa.config.ts', 'src/fines.ts', 'src/projections.ts', 'src/app.module.ts']) {
      await writeFile(path.join(folder, file), change(file, await readFile(path.join(folder, file), 'utf8')));
    }
    await writeFile(path.join(folder, 'package.json'), JSON.stringify({ name: 'app', ...manifest }));
    await writeFile(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { target: 'es2023', module: 'nodenext', paths: { '@app/*': ['./src/*'] } } }),
    );
    await mkdir(path.join(folder, 'node_modules'));
    await symlink(root, path.join(folder, 'node_modules', 'nest-kappa'));
    for (const name of ['@nestjs', 'typeorm', 'typescript', 'reflect-metadata', 'rxjs']) {
      await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name));
    }
    return folder;
  }

  const plan = async (args: readonly string[], cwd: string): Promise<readonly string[]> => {
    const { document, stderr } = await json<Plan | Failure>(['projections', 'plan', ...args], {
      cwd,
      env: base.env,
      process: true,
    });
    if ('error' in document) throw new Error(stderr);
    return document.plan.map(({ projection }) => projection).sort();
  };

  it('compiles kappa.config.ts of a CommonJS application, decorators and their metadata included: imports without extensions and by the paths of tsconfig.json', async () => {
    const folder = await copyOfApp({}, (_, text) => withPaths(text.replaceAll(/(from '\.\/[^']+)\.js'/g, "$1'")));
    expect(await plan([], folder)).toEqual(BOTH);
  });

  it('compiles the same in ES modules', async () => {
    expect(await plan([], await copyOfApp({ type: 'module' }, (_, text) => withPaths(text)))).toEqual(BOTH);
  });

  it('reads a compiled configuration without any compiler', async () => {
    const folder = await copyOfApp({ type: 'module' });
    await rm(path.join(folder, 'node_modules', 'typescript'));
    const { code, document } = await json<Failure>(['projections', 'plan'], { cwd: folder, env: base.env });
    expect([code, document.error.code]).toEqual([1, 'KAPPA_NO_TYPESCRIPT']);
    expect(document.error.nextStep).toContain('--config dist/kappa.config.js');
    await writeFile(path.join(folder, 'plain.mjs'), 'export default { projections: [] };');
    expect(await plan(['--config', 'plain.mjs'], folder)).toEqual([]);
  });

  it('takes them from the modules of --app, and makes none of its providers', async () => {
    const folder = await copyOfApp({});
    expect(await plan(['--app', 'src/app.module.ts'], folder)).toEqual(BOTH);
  });

  it('says so where the options of --app are made by the application at run time', async () => {
    const folder = await copyOfApp({ type: 'module' }, (_, text) =>
      text.replace("forRoot({ name: 'from the module' })", 'forRootAsync({ useFactory: () => ({}) })'),
    );
    const { code, stderr } = await run(['projections', 'plan', '--app', 'src/app.module.ts'], {
      cwd: folder,
      env: base.env,
      process: true,
    });
    expect(code).toBe(0);
    expect(stderr).toContain('options come from --database, --schema and the environment');
  });

  it('refuses a file without a module, or with several, by name', async () => {
    const { code, document } = await json<Failure>(['projections', 'plan', '--app', 'src/fines.ts'], {
      env: base.env,
      cwd: appFolder,
    });
    expect([code, document.error.code]).toEqual([1, 'KAPPA_NO_APP_MODULE']);
  });

  it('does not run a file that starts an application', async () => {
    const folder = await copyOfApp({ type: 'module' });
    await writeFile(
      path.join(folder, 'src', 'main.ts'),
      "import { NestFactory } from '@nestjs/core';\nvoid NestFactory.create(class {});\nconsole.error('started');\n",
    );
    const { code, stderr } = await run(['projections', 'plan', '--app', 'src/main.ts'], { cwd: folder, env: base.env });
    expect(code).toBe(1);
    expect(stderr).toContain('KAPPA_APP_STARTS');
    expect(stderr).not.toContain('started\n');
  });

  it.each([
    ["import './nowhere.js';", 'KAPPA_CONFIG_FAILED', 'nowhere'],
    ["throw new Error('no password for postgres://me:s3cret@db/x');", 'KAPPA_CONFIG_FAILED', 'no password'],
    ['export const other = 1;', 'KAPPA_CONFIG_EMPTY', 'export default defineKappaConfig'],
    ['export default { projectoins: [], options: {} };', 'KAPPA_BAD_OPTIONS', 'did you mean projections'],
  ])('tells what is wrong with %j', async (source, code, hint) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'kappa-app-'));
    folders.push(folder);
    await writeFile(path.join(folder, 'broken.mjs'), source);
    const ran = await json<Failure>(['projections', 'plan', '--config', 'broken.mjs'], { cwd: folder, env: base.env });
    expect(ran.code).toBe(1);
    expect(ran.document.error.code).toBe(code);
    expect(ran.stderr).toContain(hint);
    expect(ran.stderr + ran.stdout).not.toContain('s3cret');
  });

  it('works on the database alone when the configuration is broken but the database is named', async () => {
    const folder = await copyOfApp({ type: 'module' });
    await writeFile(path.join(folder, 'kappa.config.ts'), 'const broken = ;');
    const { code, stderr } = await run(['topics', 'list', '--database', base.url], { cwd: folder });
    expect(code).toBe(0);
    expect(stderr).toContain('kappa.config.ts:1:16');
    expect(stderr).toContain('Going on with --database alone');
  });

  it('refuses another copy of the package than the one that the application uses', async () => {
    const folder = await copyOfApp({ type: 'module' });
    await rm(path.join(folder, 'node_modules', 'nest-kappa'));
    await mkdir(path.join(folder, 'node_modules', 'nest-kappa'));
    await writeFile(path.join(folder, 'node_modules', 'nest-kappa', 'package.json'), '{"name":"nest-kappa","main":"index.js"}');
    await writeFile(path.join(folder, 'node_modules', 'nest-kappa', 'index.js'), '');
    const { code, document } = await json<Failure>(['projections', 'plan'], { cwd: folder, env: base.env });
    expect([code, document.error.code]).toEqual([1, 'KAPPA_TWO_COPIES']);
  });
});
