// The real server with the agents of ./project. env: PORT, UPSTREAM, DATABASE
import { Mastra } from '@mastra/core/mastra';
import { Agent } from '@mastra/core/agent';
import { createTool } from '@mastra/core/tools';
import { Memory } from '@mastra/memory';
import { LibSQLStore } from '@mastra/libsql';
import { createNodeServer } from '@mastra/deployer/server';
import { z } from 'zod';

const { PORT, UPSTREAM, DATABASE } = process.env;
const model = { id: 'mock/mock-model', url: UPSTREAM, apiKey: 'sk-mock' };
const storage = new LibSQLStore({ id: 'main', url: `file:${DATABASE}` });
const memory = new Memory({
  storage,
  options: { lastMessages: 10, semanticRecall: false, generateTitle: false },
});

const weather = createTool({
  id: 'weather-tool',
  description: 'Get weather for a city',
  inputSchema: z.object({ city: z.string().describe('City name') }),
  outputSchema: z.object({ city: z.string(), tempC: z.number(), conditions: z.string() }),
  execute: async ({ city }) => ({ city, tempC: 21, conditions: 'sunny' }),
});
const remove = createTool({
  id: 'delete-tool',
  description: 'Delete a file (needs approval)',
  requireApproval: true,
  inputSchema: z.object({ path: z.string() }),
  outputSchema: z.object({ deleted: z.boolean(), path: z.string() }),
  execute: async ({ path }) => ({ deleted: true, path }),
});
const tools = { 'weather-tool': weather, 'delete-tool': remove };

const weatherAgent = new Agent({
  id: 'weather-agent',
  name: 'Weather Agent',
  description: 'Answers weather questions',
  instructions: 'You are a weather assistant.',
  model,
  tools,
  memory,
});
const plainAgent = new Agent({
  id: 'plain-agent',
  name: 'Plain Agent',
  description: 'No tools, no memory',
  instructions: 'You are plain.',
  model,
});
const remembering = (id, options) => new Agent({
  id, name: id, instructions: `You are ${id}.`, model, memory: new Memory({ storage, options }),
});
const agents = {
  'weather-agent': weatherAgent,
  'plain-agent': plainAgent,
  'notes-agent': remembering('notes-agent', {
    workingMemory: { enabled: true, template: '# User\n- name:' },
  }),
  'object-agent': remembering('object-agent', {
    workingMemory: {
      enabled: true,
      scope: 'thread',
      schema: z.object({ name: z.string().optional(), tags: z.array(z.string()).optional() }),
    },
  }),
  'title-agent': remembering('title-agent', { generateTitle: { emitEvent: true } }),
};

const mastra = new Mastra({
  agents,
  tools,
  storage,
  logger: false,
  server: { port: Number(PORT), host: '127.0.0.1', build: { swaggerUI: false, openAPIDocs: false } },
});
await createNodeServer(mastra, { tools: [], studio: false, isDev: false });
