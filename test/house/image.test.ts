import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
/** Where a built file comes from. */
const sourceOf = (built: string): string => built.replace('/dist/', '/').replace(/\.js$/, '.ts');

/** Instructions of a Dockerfile, a word list each; continued lines joined, comments left out. */
function instructions(text: string): readonly (readonly string[])[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(/\s+/));
}

/** The lines of each service in a compose file of our form: services are indented by two, what they have by four. */
function services(text: string): ReadonlyMap<string, string> {
  const [, body = ''] = /^services:\n([\s\S]*?)^\w/m.exec(text) ?? [];
  return new Map(
    [...body.matchAll(/^ {2}(\w+):\n((?: {4}.*\n|\n| *#.*\n)*)/gm)].map(([, name = '', lines = '']) => [name, lines]),
  );
}

describe('the Dockerfile', () => {
  const steps = instructions(read('Dockerfile'));
  const last = steps.slice(steps.findLastIndex(([word]) => word === 'FROM'));

  it('consists of instructions that there are', () => {
    const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'EXPOSE', 'HEALTHCHECK', 'CMD'];
    expect(steps.filter(([word = '']) => !known.includes(word))).toEqual([]);
  });

  it('copies and runs files that exist', () => {
    const copied = steps
      .filter(([word, first]) => word === 'COPY' && !first?.startsWith('--from'))
      .flatMap((words) => words.slice(1, -1));
    expect(copied.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const scripts = steps.flatMap((words) => words.filter((word) => /^scripts\/.+\.mjs$/.test(word)));
    expect(scripts).not.toEqual([]);
    expect(scripts.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const { scripts: npm } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const ran = [...read('Dockerfile').matchAll(/npm run (\S+)/g)].map(([, name = '']) => name);
    expect(ran.filter((name) => !(name in npm))).toEqual([]);
    const [, main = ''] = /^CMD \["node", "([^"]+)"\]$/m.exec(read('Dockerfile')) ?? [];
    expect(existsSync(join(root, sourceOf(main)))).toBe(true);
  });

  it('ends in a stage that is no root, in production, with a health check on a path that is served', () => {
    const words = last.map((step) => step.join(' '));
    expect(words).toContain('USER node');
    expect(words).toContain('ENV NODE_ENV=production');
    expect(words.some((line) => line.startsWith('HEALTHCHECK') && line.includes('/health/ready'))).toBe(true);
    expect(read('examples/shop/src/shop.module.ts')).toContain('KappaHealthModule.forRoot()');
  });

  it('keeps data and what was built here out of the image', () => {
    const ignored = read('.dockerignore').trim().split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.git', '**/.kappa', '**/.kappa-kafka', '**/dist', '**/node_modules']));
  });
});

describe('compose.yaml', () => {
  const found = services(read('compose.yaml'));

  it('has no tabs, and an even indent', () => {
    expect(read('compose.yaml')).not.toContain('\t');
    expect(
      read('compose.yaml')
        .split('\n')
        .filter((line) => (/^ */.exec(line)?.[0].length ?? 0) % 2 === 1),
    ).toEqual([]);
  });

  it('starts broker, database and shop, the shop when both are healthy', () => {
    expect([...found.keys()]).toEqual(['kafka', 'postgres', 'shop']);
    expect(found.get('kafka')).toContain('healthcheck:');
    expect(found.get('postgres')).toContain('healthcheck:');
    for (const service of ['kafka', 'postgres'])
      expect(found.get('shop')).toContain(`${service}: { condition: service_healthy }`);
    expect(found.get('shop')).toContain('build: .');
  });

  it('names the broker that tests start in containers', () => {
    const [, image = ''] = /const IMAGE = '([^']+)'/.exec(read('src/testing/kafka/docker-brokers.ts')) ?? [];
    expect(found.get('kafka')).toContain(`image: ${image}\n`);
  });

  it('tells the shop where they are, as the shop asks for it', () => {
    expect(found.get('shop')).toMatch(/DATABASE_URL: postgres:\/\/shop:shop@postgres:5432\/shop\n/);
    expect(found.get('shop')).toMatch(/KAFKA_BROKERS: kafka:9092\n/);
    expect(read('examples/shop/src/options.ts')).toContain('{ DATABASE_URL, KAPPA_DATA_DIR, KAFKA_BROKERS } = process.env');
  });
});
