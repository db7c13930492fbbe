// What agents and tools answer: whole, streamed, with approvals.
import { base, call, chunks, client, memory, plain, post, raw, schema, weather } from '../kit.mjs';

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
