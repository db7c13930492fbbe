// One script of calls against the server at MASTRA_URL; prints what came as JSON, call by call.
import { MastraClient } from '@mastra/client-js';

const base = process.env.MASTRA_URL;
const client = new MastraClient({ baseUrl: base, retries: 0 });
const weather = client.getAgent('weather-agent');
const plain = client.getAgent('plain-agent');
const results = [];

async function call(name, work) {
  try {
    results.push({ name, answer: (await work()) ?? null });
  } catch (error) {
    results.push({ name, status: error.status ?? 0, error: error.body ?? String(error.message) });
  }
}

async function chunks(response) {
  const list = [];
  await response.processDataStream({ onChunk: async chunk => list.push(chunk) });
  return list;
}

async function raw(method, path, body, headers = {}) {
  const response = await fetch(base + path, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await response.text();
  const names = ['content-type', 'cache-control', 'access-control-allow-origin',
    'access-control-expose-headers', 'x-accel-buffering'];
  const kept = Object.fromEntries(names.map(name => [name, response.headers.get(name)]));
  let parsed = text;
  try { parsed = JSON.parse(text); } catch { /* not JSON: as it is */ }
  return { status: response.status, headers: kept, body: parsed };
}

const post = (path, value) => raw('POST', path, typeof value === 'string' ? value : JSON.stringify(value));
const memory = n => ({ memory: { thread: `thread-${n}`, resource: 'ann' } });
const schema = {
  type: 'object',
  properties: { answer: { type: 'string' }, n: { type: 'number' } },
  required: ['answer', 'n'],
  additionalProperties: false,
};

// --- agents
await call('list agents', () => client.listAgents());
await call('describe an agent', () => plain.details());
await call('describe an agent with tools', () => weather.details());
await call('an agent that is not there', () => client.getAgent('none').details());
await call('generate', () => plain.generate('Hello'));
await call('generate from messages', () => plain.generate([
  { role: 'system', content: 'Be kind' },
  { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] },
  { role: 'assistant', content: 'c' },
  { role: 'user', content: 'd' },
]));
await call('generate with reasoning', () => plain.generate('REASON why'));
await call('generate an object', () => plain.generate('x', { structuredOutput: { schema } }));
await call('generate with a tool', () => weather.generate('weather'));
await call('generate with memory', () => weather.generate('one', memory(1)));
await call('generate with memory again', () => weather.generate('two', memory(1)));
await call('generate in a foreign thread', () => weather.generate('x',
  { memory: { thread: 'thread-1', resource: 'bob' } }));
await call('generate with maxSteps 1', () => weather.generate('weather', { maxSteps: 1 }));
await call('stream', async () => chunks(await plain.stream('Hello there')));
await call('stream with reasoning', async () => chunks(await plain.stream('REASON why')));
await call('stream an object', async () => chunks(await plain.stream('x', { structuredOutput: { schema } })));
await call('stream with a tool', async () => chunks(await weather.stream('PRE weather', memory(2))));
await call('stream with bad tool input',
  async () => chunks(await weather.stream('CALL:weather-tool:{"city":5}')));
await call('upstream failure', () => post('/api/agents/plain-agent/generate',
  { messages: 'FAIL500', modelSettings: { maxRetries: 0 } }));
await call('upstream failure in a stream', async () => chunks(await plain.stream('FAIL500',
  { modelSettings: { maxRetries: 0 } })));

// --- approvals
await call('a call that waits', async () => chunks(await weather.stream('delete', { runId: 'run-1', ...memory(3) })));
const waiting = await (await fetch(`${base}/api/agents/weather-agent/suspended-runs?threadId=thread-3`)).json();
const toolCallId = waiting.runs?.[0]?.toolCalls?.[0]?.toolCallId;
await call('suspended runs', () => waiting);
await call('... approved', async () => chunks(await weather.approveToolCall({ runId: 'run-1', toolCallId })));
await call('... its thread', () => raw('GET', '/api/memory/threads/thread-3/messages?agentId=weather-agent'));
await call('a wrong approval', () => post('/api/agents/weather-agent/approve-tool-call',
  { runId: 'nope', toolCallId: 'x' }));
await call('a bad approval', () => post('/api/agents/weather-agent/approve-tool-call', { runId: 'nope' }));

// --- tools
await call('list tools', () => client.listTools());
await call('a tool', () => client.getTool('weather-tool').details());
await call('a tool that is not there', () => client.getTool('none').details());
await call('execute', () => client.getTool('weather-tool').execute({ data: { city: 'Oslo' } }));
await call('execute with bad input', () => client.getTool('weather-tool').execute({ data: { city: 5 } }));
await call('execute without data', () => post('/api/tools/weather-tool/execute', {}));
await call('an agent\'s tool', () => raw('GET', '/api/agents/weather-agent/tools/weather-tool'));

// --- memory
const threads = '/api/memory/threads';
const agent = 'agentId=weather-agent';
await call('status', () => raw('GET', `/api/memory/status?${agent}`));
await call('status without agent', () => raw('GET', '/api/memory/status'));
await call('create a thread', () => post(`${threads}?${agent}`,
  { resourceId: 'ann', title: 'Mine', metadata: { a: 1 }, threadId: 'own' }));
await call('create without resource', () => post(`${threads}?${agent}`, {}));
await call('create with wrong types', () => post(`${threads}?${agent}`,
  { resourceId: 5, title: [], metadata: 'x' }));
await call('get it', () => raw('GET', `${threads}/own?${agent}`));
await call('update it', () => raw('PATCH', `${threads}/own?${agent}`, JSON.stringify({ title: 'New', metadata: { b: 2 } })));
await call('list by metadata', () => raw('GET', `${threads}?metadata=${encodeURIComponent('{"b":2}')}`));
await call('list badly', () => raw('GET', `${threads}?page=-1&perPage=x`));
await call('save messages', () => post(`/api/memory/save-messages?${agent}`, {
  messages: [0, 1, 2, 3, 4].map(i => ({
    id: `m-${i}`, threadId: 'own', resourceId: 'ann', role: i % 2 ? 'assistant' : 'user',
    createdAt: `2026-01-02T03:04:0${i}.000Z`, type: 'text',
    content: { format: 2, parts: [{ type: 'text', text: `text ${i}` }] },
  })),
}));
for (const query of ['', 'perPage=2', 'perPage=2&page=1', 'perPage=0',
  `perPage=2&orderBy=${encodeURIComponent('{"field":"createdAt","direction":"ASC"}')}`]) {
  await call(`messages ${query}`, () => raw('GET', `${threads}/own/messages?${agent}&${query}`));
}
await call('messages of nobody', () => raw('GET', `${threads}/own/messages?resourceId=bob&${agent}`));
await call('delete messages', () => post(`/api/memory/messages/delete?${agent}`, { messageIds: ['m-0', 'm-1'] }));
await call('delete the thread', () => raw('DELETE', `${threads}/own?${agent}`));
await call('delete it again', () => raw('DELETE', `${threads}/own?${agent}`));

// --- what agents remember
const notes = client.getAgent('notes-agent');
const object = client.getAgent('object-agent');
const title = client.getAgent('title-agent');
const update = value => `CALL:updateWorkingMemory:${JSON.stringify(value)}`;
const notesOf = (id, thread) => raw('GET', `${threads}/${thread}/working-memory?agentId=${id}&resourceId=ann`);
await call('notes: none yet', () => notesOf('notes-agent', 'thread-n'));
await call('notes: generate', () => notes.generate('remember', memory('n')));
await call('notes: there', () => notesOf('notes-agent', 'thread-n'));
await call('notes: generate again', () => notes.generate('Hello', memory('n')));
await call('notes: stream', async () => chunks(await notes.stream('remember', memory('n'))));
await call('notes: read only', () => notes.generate('remember',
  { memory: { thread: 'thread-n', resource: 'ann', options: { readOnly: true } } }));
await call('notes: messages', () => raw('GET', `${threads}/thread-n/messages`));
for (const [i, value] of [{ memory: { name: 'Ann', tags: ['a'] } }, { memory: { tags: ['b'] } },
  { name: 'Eve' }, { memory: { name: 5 } }, { memory: 'x' }].entries()) {
  await call(`notes: object ${i}`, () => object.generate(update(value), memory('o')));
  await call(`notes: object ${i} there`, () => notesOf('object-agent', 'thread-o'));
}
await call('notes: written', () => post(`${threads}/thread-n/working-memory?agentId=notes-agent`,
  { workingMemory: '# Mine', resourceId: 'ann' }));
await call('notes: read', () => notesOf('notes-agent', 'thread-n'));
await call('notes: of nobody', () => post(`${threads}/none/working-memory?agentId=notes-agent`,
  { workingMemory: 'x', resourceId: 'ann' }));
await call('notes: of another', () => post(`${threads}/thread-n/working-memory?agentId=notes-agent`,
  { workingMemory: 'x', resourceId: 'bob' }));
for (const id of ['notes-agent', 'object-agent', 'plain-agent', 'none']) {
  await call(`memory configuration of ${id}`, () => raw('GET', `/api/memory/config?agentId=${id}`));
}
await call('clone', () => post(`${threads}/thread-o/clone?agentId=object-agent`, { newThreadId: 'copy' }));
await call('... its notes', () => raw('GET', `${threads}/copy`));
await call('clone the newest', () => post(`${threads}/thread-o/clone?agentId=object-agent`,
  { newThreadId: 'copy-2', options: { messageLimit: 2 } }));
await call('clone badly', () => post(`${threads}/thread-o/clone?agentId=object-agent`,
  { options: { messageFilter: { startDate: 'x' } } }));
await call('clone nothing', () => post(`${threads}/none/clone?agentId=object-agent`, {}));
await call('transfer', () => post(`${threads}/copy-2/transfer`, { resourceId: 'bob' }));
await call('... to nobody', () => post(`${threads}/copy-2/transfer`, { resourceId: '' }));
await call('... its messages', () => raw('GET', `${threads}/copy-2/messages?resourceId=bob`));
await call('search without a query', () => raw('GET', '/api/memory/search?agentId=notes-agent'));
await call('search without memory', () => raw('GET',
  '/api/memory/search?agentId=plain-agent&resourceId=ann&searchQuery=x'));
await call('stream with a title', async () => chunks(await title.stream('Hello', memory('t'))));
await call('... the thread', () => raw('GET', `${threads}/thread-t`));
await call('stream with a title once', async () => chunks(await title.stream('Hello', memory('t'))));
for (const options of [{ lastMessages: 1 }, { lastMessages: false }, { lastMessages: 0 }, { unknown: 1 }]) {
  await call(`remember ${JSON.stringify(options)}`, () => notes.generate('x',
    { memory: { thread: 'thread-n', resource: 'ann', options } }));
}
await call('observational memory', () => raw('GET', '/api/memory/observational-memory?agentId=notes-agent'));
await call('network threads', () => raw('GET', '/api/memory/network/threads?resourceId=ann&perPage=1&page=99'));

// --- the edges
const generate = '/api/agents/plain-agent/generate';
for (const body of ['', '{bad', '[]', '{}', '{"messages":5}', '{"messages":"x","memory":{}}',
  '{"messages":"x","maxSteps":"a"}', '{"messages":"x","toolChoice":"bad"}',
  '{"messages":"x","structuredOutput":{}}', '{"messages":"x"} x']) {
  await call(`body ${body}`, () => post(generate, body));
}
await call('another content type', () => raw('POST', generate, '{"messages":"x"}', { 'content-type': 'text/plain' }));
for (const path of ['/health', '/api/nope', '/api/agents/', '/api//agents', '/api/auth/me']) {
  await call(`GET ${path}`, () => raw('GET', path));
}
await call('HEAD', () => raw('HEAD', '/api/agents'));
await call('OPTIONS', () => raw('OPTIONS', '/api/agents'));
await call('a wrong method', () => raw('PUT', '/api/agents', '{}'));

console.log(JSON.stringify(results));
