// The JavaScript client, as published, against the server at MASTRA_URL with the demo's agents.
import { MastraClient } from '@mastra/client-js';
import { assert, chunks, done, test, textOf, types, watch } from './tap.mjs';

const baseUrl = process.env.MASTRA_URL;
const client = watch(new MastraClient({ baseUrl, retries: 0 }), 'MastraClient');
const weather = watch(client.getAgent('weather-agent'), 'Agent');
const plain = client.getAgent('plain-agent');
const agentId = 'weather-agent';
const resourceId = `client-${process.pid}-${Date.now()}`;
// a server may register tools under other keys than their ids
let weatherKey;

await test('agents are listed by id', async () => {
  const agents = await client.listAgents();
  assert.equal(agents['plain-agent'].name, 'Plain Agent');
  assert.equal(agents['weather-agent'].name, 'Weather Agent');
});

await test('an agent describes itself', async () => {
  const details = await weather.details();
  assert.equal(details.name, 'Weather Agent');
  assert.equal(details.instructions.trim(), 'You are a weather assistant.');
  weatherKey = Object.keys(details.tools).find(key => /weather/i.test(key));
  assert.ok(weatherKey);
});

await test('generate answers a string', async () => {
  const answer = await plain.generate('Hello');
  assert.equal(answer.text, 'Echo: Hello');
  assert.equal(answer.finishReason, 'stop');
  assert.equal(answer.usage.totalTokens, 15);
  assert.ok(answer.runId);
});

await test('... and messages with roles and parts', async () => {
  const answer = await plain.generate([
    { role: 'user', content: 'first' },
    { role: 'assistant', content: 'yes' },
    { role: 'user', content: [{ type: 'text', text: 'second' }] },
  ]);
  assert.equal(answer.text, 'Echo: second');
});

await test('stream brings words and ends with finish', async () => {
  const list = await chunks(await plain.stream('one two three'));
  assert.equal(textOf(list), 'Echo: one two three');
  assert.equal(types(list)[0], 'start');
  assert.equal(types(list).at(-1), 'finish');
  assert.equal(list.filter(chunk => chunk.type === 'text-delta').length, 4);
  assert.ok(list.every(chunk => chunk.runId === list[0].runId));
});

await test('stream shows a tool call and its result', async () => {
  const list = await chunks(await weather.stream('weather please'));
  const call = list.find(chunk => chunk.type === 'tool-call');
  assert.equal(call.payload.toolName, weatherKey);
  assert.deepEqual(call.payload.args, { city: 'Paris' });
  const result = list.find(chunk => chunk.type === 'tool-result');
  assert.equal(result.payload.toolCallId, call.payload.toolCallId);
  assert.deepEqual(result.payload.result, { city: 'Paris', tempC: 21, conditions: 'sunny' });
  assert.match(textOf(list), /^Tool result: /);
});

await test('generate runs two tools side by side', async () => {
  const answer = await weather.generate('weather in two cities');
  assert.equal(answer.finishReason, 'stop');
  const results = answer.steps[0].toolResults ?? answer.toolResults;
  assert.deepEqual(results.map(result => result.payload.result.city), ['Paris', 'Rome']);
});

await test('reasoning comes before the text', async () => {
  const list = await chunks(await plain.stream('REASON now'));
  const names = types(list);
  if (!names.includes('reasoning-delta')) {
    throw new Error(`no reasoning in ${names.join(' ')}`);
  }
  assert.ok(names.indexOf('reasoning-delta') < names.indexOf('text-delta'));
});

await test('structured output fits its schema', async () => {
  const answer = await plain.generate('Hello', {
    structuredOutput: {
      schema: {
        type: 'object',
        properties: { city: { type: 'string' }, n: { type: 'number' } },
        required: ['city', 'n'],
        additionalProperties: false,
      },
    },
  });
  assert.equal(typeof answer.object.city, 'string');
  assert.equal(typeof answer.object.n, 'number');
});

await test('an unknown agent is a 404', async () => {
  await assert.rejects(client.getAgent('nobody').generate('hi'), error => error.status === 404);
});

await test('a body that is not right is a 400', async () => {
  await assert.rejects(plain.generate(undefined), error => error.status === 400);
});

await test('tools are listed, described and run', async () => {
  const tools = await client.listTools();
  const [key, entry] = Object.entries(tools).find(([, one]) => one.id === 'weather-tool');
  assert.ok(key && entry.description);
  const tool = watch(client.getTool('weather-tool'), 'Tool');
  assert.equal((await tool.details()).id, 'weather-tool');
  const result = await tool.execute({ data: { city: 'Rome' } });
  assert.deepEqual(result, { city: 'Rome', tempC: 21, conditions: 'sunny' });
});

await test('an agent has its tools', async () => {
  const tool = await weather.getTool('weather-tool');
  assert.equal(tool.id, 'weather-tool');
  const result = await weather.executeTool('weather-tool', { data: { city: 'Oslo' } });
  assert.equal(result.city, 'Oslo');
});

await test('memory has a state and a configuration', async () => {
  assert.equal((await client.getMemoryStatus(agentId)).result, true);
  assert.equal((await client.getMemoryConfig({ agentId })).config.lastMessages, 10);
});

let thread;
await test('a thread is created, read, changed and listed', async () => {
  thread = await client.createMemoryThread({
    agentId, resourceId, threadId: `${resourceId}-a`, title: 'First', metadata: { a: 1 },
  });
  assert.equal(thread.title, 'First');
  const handle = watch(client.getMemoryThread({ threadId: thread.id, agentId }), 'MemoryThread');
  assert.equal((await handle.get()).resourceId, resourceId);
  const changed = await handle.update({ title: 'Second', metadata: { b: 2 }, resourceId });
  assert.equal(changed.title, 'Second');
  assert.deepEqual(changed.metadata, { b: 2 });
  const list = await client.listMemoryThreads({ agentId, resourceId });
  assert.deepEqual(list.threads.map(one => one.id), [thread.id]);
  assert.equal(list.total, 1);
});

await test('messages are saved, listed and deleted', async () => {
  const handle = client.getMemoryThread({ threadId: thread.id, agentId });
  const saved = await client.saveMessageToMemory({
    agentId,
    messages: [1, 2, 3].map(n => ({
      id: `${thread.id}-m${n}`, role: n % 2 ? 'user' : 'assistant', type: 'v2',
      content: { format: 2, parts: [{ type: 'text', text: `message ${n}` }] },
      createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, n)), threadId: thread.id, resourceId,
    })),
  });
  assert.equal(saved.messages.length, 3);
  const listed = await handle.listMessages({ resourceId });
  assert.deepEqual(listed.messages.map(one => one.content.parts[0].text),
    ['message 1', 'message 2', 'message 3']);
  const page = await client.listThreadMessages(thread.id, { agentId, resourceId, perPage: 2, page: 0 });
  assert.equal(page.total, 3);
  assert.deepEqual(page.messages.map(one => one.id), [2, 3].map(n => `${thread.id}-m${n}`));
  await handle.deleteMessages([`${thread.id}-m2`]);
  const after = await handle.listMessages({ resourceId });
  assert.equal(after.messages.length, 2);
});

await test('an agent remembers what was said in a thread', async () => {
  const memory = { thread: `${resourceId}-b`, resource: resourceId };
  await weather.generate('My name is Bob', { memory });
  await chunks(await weather.stream('What is my name?', { memory }));
  const { messages } = await client.listThreadMessages(memory.thread, { agentId, resourceId });
  assert.deepEqual(messages.map(one => one.role), ['user', 'assistant', 'user', 'assistant']);
  const text = messages.map(one => one.content.parts.filter(part => part.type === 'text')
    .map(part => part.text).join(''));
  assert.deepEqual(text, ['My name is Bob', 'Echo: My name is Bob', 'What is my name?',
    'Echo: What is my name?']);
});

await test('notes about a resource are read and written', async () => {
  const where = { agentId, threadId: thread.id, resourceId };
  await client.updateWorkingMemory({ ...where, workingMemory: '# User\n- name: Ann' });
  const notes = await client.getWorkingMemory(where);
  assert.equal(notes.workingMemory, '# User\n- name: Ann');
  assert.equal(notes.source, 'resource');
  await weather.generate('please remember', { memory: { thread: thread.id, resource: resourceId } });
  assert.equal((await client.getWorkingMemory(where)).workingMemory, '# User\n- name: Bob');
});

await test('messages are found by their text', async () => {
  const found = await client.searchMemory({ agentId, resourceId, searchQuery: 'bob name' });
  assert.equal(found.searchType, 'text');
  assert.ok(found.results.some(one => one.content === 'My name is Bob'));
});

await test('a thread is cloned and given away', async () => {
  const handle = client.getMemoryThread({ threadId: thread.id, agentId });
  const copy = await handle.clone({ newThreadId: `${resourceId}-c`, title: 'Copy' });
  assert.equal(copy.thread.title, 'Copy');
  assert.ok(copy.clonedMessages.length);
  const given = await client.getMemoryThread({ threadId: copy.thread.id, agentId })
    .transfer({ resourceId: `${resourceId}-other` });
  assert.equal(given.resourceId, `${resourceId}-other`);
  await client.deleteThread(copy.thread.id, { agentId });
});

await test('a thread is deleted with its messages', async () => {
  const handle = client.getMemoryThread({ threadId: thread.id, agentId });
  await handle.delete();
  await assert.rejects(handle.get(), error => error.status === 404);
  await client.deleteThread(`${resourceId}-b`, { agentId });
  const { threads } = await client.listMemoryThreads({ agentId, resourceId });
  assert.equal(threads.length, 0);
});

// --- threads as channels

// Subscribes; until(type) waits for a chunk of that type and gives all that came before it.
async function subscribed(threadId) {
  const seen = [];
  const waiting = [];
  const subscription = await weather.subscribeToThread({ resourceId, threadId });
  const over = subscription.processDataStream({
    onChunk: async chunk => {
      seen.push(chunk);
      waiting.forEach(look => look());
    },
  });
  const until = type => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${type} after ${types(seen)}`)), 60000);
    const look = () => {
      const at = seen.findIndex(chunk => chunk.type === type);
      if (at >= 0) {
        waiting.splice(waiting.indexOf(look), 1);
        clearTimeout(late);
        resolve(seen.splice(0, at + 1));
      }
    };
    waiting.push(look);
    look();
  });
  return { subscription, until, over };
}

const channel = `${resourceId}-channel`;
const target = { resourceId, threadId: channel };

await test('a message to a thread is answered to its subscribers', async () => {
  const watcher = await subscribed(channel);
  const sent = await weather.sendMessage({ message: 'hello', ...target });
  assert.equal(sent.accepted, true);
  const list = await watcher.until('finish');
  assert.equal(textOf(list), 'Echo: hello');
  assert.ok(list.every(chunk => chunk.runId === sent.runId));
  assert.equal(list.find(chunk => chunk.type === 'data-user-message').data.id, sent.signal.id);
  watcher.subscription.unsubscribe();
  await watcher.over;
});

await test('... those that come while it runs, too', async () => {
  const watcher = await subscribed(channel);
  // five seconds in which three more have to come
  const first = await weather.sendMessage({ message: `SLOW ${'word '.repeat(11)}`, ...target });
  await watcher.until('text-start');
  const into = await weather.sendMessage({ message: 'into', ...target });
  const behind = await weather.queueMessage({ message: 'behind', ...target });
  const signal = await weather.sendSignal({
    signal: { type: 'system-reminder', contents: 'mind it' }, ...target });
  assert.equal(into.runId, first.runId);
  assert.equal(signal.runId, first.runId);
  assert.notEqual(behind.runId, first.runId);
  const list = [...await watcher.until('finish'), ...await watcher.until('finish')];
  assert.deepEqual([...new Set(list.map(chunk => chunk.runId))], [first.runId, behind.runId]);
  assert.ok(textOf(list).endsWith('Echo: behind'));
  watcher.subscription.unsubscribe();
});

await test('... until its run is aborted', async () => {
  const watcher = await subscribed(channel);
  await weather.sendMessage({ message: `SLOW ${'word '.repeat(100)}`, ...target });
  await watcher.until('text-start');
  assert.deepEqual(await weather.abortThread(target), { aborted: true });
  await watcher.until('abort');
  assert.equal(await watcher.subscription.abort(), false);
  watcher.subscription.unsubscribe();
});

await test('a person decides about a thread\'s tool', async () => {
  const watcher = await subscribed(channel);
  await weather.sendMessage({ message: 'delete it', ...target });
  const { runId, payload } = (await watcher.until('tool-call-approval')).at(-1);
  const decided = await weather.sendToolApproval(
    { ...target, toolCallId: payload.toolCallId, approved: true });
  assert.deepEqual(decided, { accepted: true, runId, toolCallId: payload.toolCallId });
  assert.ok((await watcher.until('finish')).some(chunk => chunk.type === 'tool-result'));
  watcher.subscription.unsubscribe();
  await client.deleteThread(channel, { agentId });
});

await test('workflows are listed and described', async () => {
  const all = await client.listWorkflows();
  assert.ok(Object.values(all).some(one => one.name === 'simple-workflow'));
  const details = await client.getWorkflow('simple-workflow').details();
  assert.deepEqual(details.stepGraph.map(entry => entry.id ?? entry.step.id), ['add-one', 'double']);
});

await test('a run of a workflow is waited for', async () => {
  const run = await client.getWorkflow('simple-workflow').createRun();
  const result = await run.startAsync({ inputData: { n: 3 } });
  assert.equal(result.status, 'success');
  assert.deepEqual(result.result, { d: 8 });
  const stored = await client.getWorkflow('simple-workflow').runById(run.runId);
  assert.equal(stored.status, 'success');
});

await test('... or streamed, and observed again', async () => {
  const workflow = client.getWorkflow('simple-workflow');
  const run = await workflow.createRun();
  const seen = [];
  for await (const chunk of await run.stream({ inputData: { n: 3 } })) {
    seen.push(chunk);
  }
  assert.equal(seen.at(-1).type, 'workflow-finish');
  assert.deepEqual(seen.at(-1).payload.finalWorkflowResult, { d: 8 });
  const again = [];
  for await (const chunk of await run.observeStream()) {
    again.push(chunk);
  }
  assert.deepEqual(again.map(chunk => chunk.type), seen.map(chunk => chunk.type));
});

await test('a run that waits is resumed, and one is cancelled', async () => {
  const workflow = client.getWorkflow('suspend-workflow');
  const run = await workflow.createRun();
  const waiting = await run.startAsync({ inputData: { reason: 'why', i: 1 } });
  assert.equal(waiting.status, 'suspended');
  const step = waiting.suspended[0];
  const over = await run.resumeAsync({ step, resumeData: { approved: true } });
  assert.equal(over.status, 'success');
  assert.equal(over.result.approved, true);
  const other = await workflow.createRun();
  await other.startAsync({ inputData: { reason: 'why', i: 1 } });
  await other.cancel();
  assert.equal((await workflow.runById(other.runId)).status, 'canceled');
  assert.ok((await workflow.runs({ perPage: 1, page: 0 })).total > 1);
});

await test('a run goes on in each of the ways', async () => {
  const workflow = client.getWorkflow('suspend-workflow');
  const asked = async () => {
    const run = await workflow.createRun();
    assert.equal((await run.startAsync({ inputData: { reason: 'why', i: 1 } })).status, 'suspended');
    return run;
  };
  const answer = { resumeData: { approved: true } };
  const seen = [];
  for await (const chunk of await (await asked()).resumeStream(answer)) {
    seen.push(chunk);
  }
  assert.equal(seen.at(-1).payload.workflowStatus, 'success');
  const other = await asked();
  assert.deepEqual(await other.resumeNoWait(answer), { runId: other.runId });
  await assert.rejects((await asked()).resumeAsync({ resumeData: { approved: 'x' } }));
});

await test('a run goes back in time, and is deleted', async () => {
  const workflow = client.getWorkflow('simple-workflow');
  const run = await workflow.createRun();
  await run.startAsync({ inputData: { n: 3 } });
  const step = (await workflow.details()).stepGraph[1].id ?? 'double';
  assert.deepEqual((await run.timeTravelAsync({ step, inputData: { n: 10 } })).result, { d: 20 });
  const seen = [];
  for await (const chunk of await run.timeTravelStream({ step, inputData: { n: 11 } })) {
    seen.push(chunk);
  }
  assert.deepEqual(seen.at(-1).payload.finalWorkflowResult, { d: 22 });
  assert.equal((await run.restartAsync()).status, 'success');
  assert.ok((await workflow.getSchema()).inputSchema);
  assert.ok('simple-workflow' in await client.listWorkflowRunCounts());
  await workflow.deleteRunById(run.runId);
  await assert.rejects(workflow.runById(run.runId), error => error.status === 404);
});

await test('a workflow is made, scheduled and deleted', async () => {
  const id = `client-${process.pid}`;
  const made = await client.upsertDynamicWorkflow({
    id,
    inputSchema: { type: 'object', properties: { n: { type: 'number' } } },
    outputSchema: { type: 'object' },
    graph: [{ type: 'mapping', id: 'end', mapConfig: '{"n":{"initData":true,"path":"n"}}' }],
  });
  assert.equal(made.id, id);
  assert.ok((await client.listDynamicWorkflows()).workflows.some(one => one.id === id));
  const run = await client.getWorkflow(id).createRun();
  assert.deepEqual((await run.startAsync({ inputData: { n: 5 } })).result, { n: 5 });
  const schedule = await client.createSchedule({ id, workflowId: id, inputData: { n: 1 }, cron: '0 0 * * *' });
  assert.equal((await client.pauseSchedule(schedule.id)).status, 'paused');
  assert.equal((await client.resumeSchedule(schedule.id)).status, 'active');
  assert.equal((await client.updateSchedule(schedule.id, { cron: '5 0 * * *' })).cron, '5 0 * * *');
  await client.runSchedule(schedule.id);
  assert.ok((await client.listScheduleTriggers(schedule.id)).triggers.length <= 1);
  await client.deleteSchedule(schedule.id);
  await client.getDynamicWorkflow(id).delete();
  await assert.rejects(client.getWorkflow(id).details(), error => error.status === 404);
  assert.ok(Array.isArray((await client.listBackgroundTasks()).tasks));
});

await test('a request that is given up ends', async () => {
  const stopper = new AbortController();
  const impatient = new MastraClient({ baseUrl, retries: 0, abortSignal: stopper.signal });
  const response = await impatient.getAgent('plain-agent').stream(`SLOW ${'word '.repeat(100)}`);
  setTimeout(() => stopper.abort(), 100);
  await assert.rejects(chunks(response));
});

done();
