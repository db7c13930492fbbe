// The real server with the agents of ./project. env: PORT, UPSTREAM, DATABASE
import { Mastra } from '@mastra/core/mastra';
import { Agent } from '@mastra/core/agent';
import { createTool } from '@mastra/core/tools';
import { createStep, createWorkflow } from '@mastra/core/workflows';
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
const value = z.object({ value: z.string() });
const number = z.object({ n: z.number() });
const tool = (id, description, inputSchema, outputSchema, execute, more = {}) =>
  createTool({ id, description, inputSchema, outputSchema, execute, ...more });
const failed = {};
const flaky = z.object({ key: z.string(), times: z.number() });
const question = z.object({ question: z.string() });
const answer = z.object({ answer: z.string() });
const steps = [
  tool('add-tool', 'Adds one', number, number, async ({ n }) => ({ n: n + 1 })),
  tool('double-tool', 'Doubles', number, z.object({ d: z.number() }), async ({ n }) => ({ d: n * 2 })),
  tool('echo-tool', 'Gives back its value', value, value, async input => input),
  tool('slow-tool', 'Takes n milliseconds, or some', number, number, async ({ n }) => {
    await new Promise(done => setTimeout(done, Math.max(n, 50)));
    return { n };
  }),
  tool('flaky-tool', 'Fails a few times', flaky, flaky, async input => {
    failed[input.key] = (failed[input.key] ?? 0) + 1;
    if (failed[input.key] <= input.times) throw new Error('not yet');
    return input;
  }),
  tool('fail-tool', 'Always fails', value, value, async () => {
    throw new Error('tool exploded');
  }),
  tool('ask-tool', 'Asks a person', question, answer, async (input, context) => {
    const its = context?.workflow ?? context?.agent;
    return its?.resumeData ?? await its?.suspend(input);
  }, { suspendSchema: question, resumeSchema: answer }),
];
const own = { 'weather-tool': weather, 'delete-tool': remove };
const tools = { ...own, ...Object.fromEntries(steps.map(one => [one.id, one])) };

const weatherAgent = new Agent({
  id: 'weather-agent',
  name: 'Weather Agent',
  description: 'Answers weather questions',
  instructions: 'You are a weather assistant.',
  model,
  tools: own,
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
const echoFlow = createWorkflow({ id: 'echo-flow', description: 'Gives back its value', inputSchema: value, outputSchema: value })
  .then(createStep(tools['echo-tool'])).commit();
const leadAgent = new Agent({
  id: 'lead-agent',
  name: 'Lead Agent',
  description: 'Leads others',
  instructions: 'Lead them.',
  model,
  agents: { 'plain-agent': plainAgent },
  workflows: { 'echo-flow': echoFlow },
  tools: { 'echo-tool': tools['echo-tool'], 'delete-tool': remove },
  memory: new Memory({ storage, options: { lastMessages: 10 } }),
});
const pairAgent = new Agent({
  id: 'pair-agent',
  name: 'Pair Agent',
  instructions: 'Two of us.',
  model: [{ model: { ...model, id: 'mock/model-a' }, maxRetries: 1 }, { model: { ...model, id: 'mock/model-b' } }],
});
const agents = {
  'weather-agent': weatherAgent,
  'plain-agent': plainAgent,
  'lead-agent': leadAgent,
  'pair-agent': pairAgent,
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
  workflows: { 'echo-flow': echoFlow },
  storage,
  logger: false,
  server: { port: Number(PORT), host: '127.0.0.1', build: { swaggerUI: false, openAPIDocs: true } },
});
await createNodeServer(mastra, { tools: [], studio: false, isDev: false });
