// The workflows of the benchmark on Mastra's own server: the same steps, tools
// in the process, tracing off.
// env: PORT, DATABASE (file), DURABILITY (full, normal), STEPS (lengths of the
// workflows that count)
import { Mastra } from '@mastra/core/mastra';
import { createTool } from '@mastra/core/tools';
import { createStep, createWorkflow, cloneStep } from '@mastra/core/workflows';
import { LibSQLStore } from '@mastra/libsql';
import { createClient } from '@libsql/client';
import { createNodeServer } from '@mastra/deployer/server';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const { PORT, DATABASE, DURABILITY, STEPS } = process.env;

const url = `file:${DATABASE}`;
let storage = new LibSQLStore({ id: 'bench', url });
if (DURABILITY === 'full') {
  // the store asks for NORMAL; connections are FULL unless they are asked
  const client = createClient({ url, timeout: 5000 });
  const execute = client.execute.bind(client);
  client.execute = (what, ...more) =>
    /^PRAGMA synchronous\b/i.test(what.sql ?? what)
      ? execute('PRAGMA synchronous=FULL') : execute(what, ...more);
  for (const pragma of ['journal_mode=WAL', 'cache_size=-16000',
    'temp_store=MEMORY']) {
    await client.execute(`PRAGMA ${pragma}`);
  }
  storage = new LibSQLStore({ id: 'bench', client });
}

const n = z.object({ n: z.number() });
const count = createTool({
  id: 'count',
  description: 'Adds one',
  inputSchema: n,
  outputSchema: n,
  execute: async ({ n: had }) => ({ n: had + 1 }),
});
const worded = z.object({ word: z.string(), n: z.number() });
const tick = createTool({
  id: 'tick',
  description: 'Says when it is a second later',
  inputSchema: n,
  outputSchema: worded,
  execute: async ({ n: had }) => {
    await sleep(had ? 1000 : 5000);
    const now = process.hrtime.bigint() / 1000n;
    return { word: `${had}:${now}`, n: had + 1 };
  },
});
const wait = createStep({
  id: 'ask',
  inputSchema: n,
  outputSchema: n,
  suspendSchema: n,
  resumeSchema: n,
  execute: async ({ inputData, resumeData, suspend }) =>
    resumeData ?? await suspend(inputData),
});

function chain(id, tool, length, outputSchema) {
  let made = createWorkflow({ id, inputSchema: n, outputSchema });
  for (let i = 0; i < length; i++) {
    made = made.then(cloneStep(createStep(tool), { id: `step-${i}` }));
  }
  return made.commit();
}

const workflows = {
  slow: chain('slow', tick, 10, worded),
  wait: createWorkflow({ id: 'wait', inputSchema: n, outputSchema: n })
    .then(wait).commit(),
};
for (const length of STEPS.split(' ')) {
  workflows[`steps-${length}`] = chain(`steps-${length}`, count,
                                       Number(length), n);
}

const mastra = new Mastra({
  workflows,
  storage,
  logger: false,
  server: {
    port: Number(PORT),
    host: '127.0.0.1',
    build: { swaggerUI: false, openAPIDocs: false, apiReqLogs: false },
  },
});
await createNodeServer(mastra, { tools: [], studio: false, isDev: false });
