import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startKafka, type StartedKafka } from 'nest-kappa/testing';

const USAGE = 'npm run example:fines -- --file <path to road-traffic-fines.csv or .csv.gz> [--kafka] [--json]';

/** Where the command was called: npm changes the working directory to the package's. */
const CALLED_FROM = process.env['INIT_CWD'] ?? process.cwd();

interface Arguments {
  readonly file: string | undefined;
  /** On the brokers that KAFKA_BROKERS names, else on one that runs as long as the import does and keeps its data. */
  readonly kafka: boolean;
  readonly json: boolean;
}

async function main(): Promise<number> {
  const { file, kafka, json } = readArguments();
  if (!file) {
    console.error(`FINES_USAGE: --file is missing. ${USAGE}`);
    return 2;
  }
  const broker = kafka && !process.env['KAFKA_BROKERS'] ? await startBroker() : null;
  try {
    // Loaded when it is known where the brokers are.
    const { runImport } = await import('./run-import.js');
    await runImport(resolve(CALLED_FROM, file), json);
    return 0;
  } finally {
    await broker?.stop();
  }
}

async function startBroker(): Promise<StartedKafka> {
  const kafka = await startKafka({ dataDir: fileURLToPath(new URL('../../.kappa-kafka/kafka', import.meta.url)) });
  process.env['KAFKA_BROKERS'] = kafka.brokers.join(',');
  return kafka;
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        file: { type: 'string' },
        kafka: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    return { file: values.file, kafka: values.kafka, json: values.json };
  } catch (error) {
    console.error(`FINES_USAGE: ${error instanceof Error ? error.message : String(error)} ${USAGE}`);
    process.exit(2);
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
