// The server to compare with: the two agents of bench/project on Mastra's own
// server, with what the benchmark does not ask for switched off.
// env: PORT, UPSTREAM (base URL of the model server), DATABASE (file),
//      TRACING (any text: spans are stored, as in a project that Mastra's own
//      generator makes)
import { Mastra } from '@mastra/core/mastra';
import { Agent } from '@mastra/core/agent';
import { Memory } from '@mastra/memory';
import { LibSQLStore } from '@mastra/libsql';
import { createNodeServer } from '@mastra/deployer/server';

const { PORT, UPSTREAM, DATABASE, TRACING } = process.env;
const model = { id: 'bench/echo', url: UPSTREAM, apiKey: 'bench' };
const storage = new LibSQLStore({ id: 'bench', url: `file:${DATABASE}` });
const memory = new Memory({
  storage,
  options: {
    lastMessages: 10,
    semanticRecall: false,
    workingMemory: { enabled: false },
    generateTitle: false,
  },
});

const plain = new Agent({
  id: 'plain',
  name: 'Plain',
  description: 'Answers without memory',
  instructions: 'You are a helpful assistant.',
  model,
});
const keeper = new Agent({
  id: 'keeper',
  name: 'Keeper',
  description: 'Answers with the last ten messages in mind',
  instructions: 'You are a helpful assistant.',
  model,
  memory,
});

async function tracing() {
  const { Observability, MastraStorageExporter, SensitiveDataFilter } =
    await import('@mastra/observability');
  return new Observability({
    configs: {
      default: {
        serviceName: 'bench',
        exporters: [new MastraStorageExporter()],
        spanOutputProcessors: [new SensitiveDataFilter()],
      },
    },
  });
}

const mastra = new Mastra({
  agents: { plain, keeper },
  storage,
  ...(TRACING ? { observability: await tracing() } : {}),
  logger: false,
  server: {
    port: Number(PORT),
    host: '127.0.0.1',
    build: { swaggerUI: false, openAPIDocs: false, apiReqLogs: false },
  },
});
await createNodeServer(mastra, { tools: [], studio: false, isDev: false });
