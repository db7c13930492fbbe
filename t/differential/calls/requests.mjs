// The remaining routes of agents and tools: models, messages to threads, resuming, what is gone.
import { call, chunks, client, get, memory, plain, post, raw, weather } from '../kit.mjs';

const A = '/api/agents/weather-agent';
const P = '/api/agents/plain-agent';
const pair = client.getAgent('pair-agent');

// --- models
await call('models: changed', () => post(`${P}/model`, { modelId: 'other-model', provider: 'mock' }));
await call('models: changed, shown', async () => (await plain.details()).modelId);
await call('models: reset', () => post(`${P}/model/reset`, {}));
await call('models: reset, shown', async () => (await plain.details()).modelId);
await call('models: changed badly', () => post(`${P}/model`, {}));
await call('models: changed of nobody', () => post('/api/agents/none/model', { modelId: 'x', provider: 'mock' }));
await call('models: a pair', async () => {
  const { modelList } = await pair.details();
  return modelList.map(({ id, ...rest }) => [typeof id, rest]);
});
await call('models: a pair answers', () => pair.generate('Hello'));
await call('models: reordered', async () => {
  const ids = (await pair.details()).modelList.map(({ id }) => id).reverse();
  const answer = await post('/api/agents/pair-agent/models/reorder', { reorderedModelIds: ids });
  return [answer, (await pair.details()).modelList.map(({ model }) => model.modelId)];
});
await call('models: one changed', async () => {
  const [{ id }] = (await pair.details()).modelList;
  const answer = await post(`/api/agents/pair-agent/models/${id}`, { enabled: false, maxRetries: 3 });
  return [answer, (await pair.details()).modelList.map(({ model, enabled, maxRetries }) => [model.modelId, enabled, maxRetries])];
});
await call('models: reordered badly', () => post('/api/agents/pair-agent/models/reorder', {}));
await call('models: reordered where there is one', () => post(`${P}/models/reorder`, { reorderedModelIds: ['a'] }));
await call('models: one that is not there', () => post('/api/agents/pair-agent/models/none', { enabled: true }));
await call('models: in short', () => raw('GET', '/api/agents?partial=true'));

// --- tools of agents
await call('tool: executed', () => post(`${A}/tools/weather-tool/execute`, { data: { city: 'Oslo' } }));
await call('tool: bad input', () => post(`${A}/tools/weather-tool/execute`, { data: { city: 5 } }));
await call('tool: no data', () => post(`${A}/tools/weather-tool/execute`, {}));
await call('tool: unknown', () => post(`${A}/tools/none/execute`, { data: {} }));
await call('tool: of an unknown agent', () => post('/api/agents/none/tools/weather-tool/execute', { data: {} }));
await call('tool: shown', () => get(`${A}/tools/none`));
await call('tool: fails', () => post('/api/tools/fail-tool/execute', { data: { value: 'x' } }));
await call('tool: with a context', () => post('/api/tools/echo-tool/execute?runId=r', { data: { value: 'x' }, requestContext: { a: 1 } }));
await call('tool: badly', () => post('/api/tools/echo-tool/execute', { data: { value: 'x' }, requestContext: 5 }));
await call('tool: that asks', () => post('/api/tools/ask-tool/execute', { data: { question: 'x' } }));
await call('tool: with approval', () => post('/api/tools/delete-tool/execute', { data: { path: '/x' } }));

// --- streams by other names
await call('generate/vnext', () => post(`${P}/generate/vnext`, { messages: 'Hello' }));
await call('stream/vnext', () => post(`${P}/stream/vnext`, { messages: 'Hello' }));
await call('stream, raw', () => post(`${P}/stream`, { messages: 'Hello' }));
await call('stream-until-idle', () => post(`${P}/stream-until-idle`, { messages: 'Hello' }));
await call('streamVNext', () => post(`${P}/streamVNext`, { messages: 'Hello' }));
await call('stream/ui', () => post(`${P}/stream/ui`, { messages: 'Hello' }));
await call('generate-legacy', () => post(`${P}/generate-legacy`, { messages: 'Hello' }));
await call('stream-legacy', () => post(`${P}/stream-legacy`, { messages: 'Hello' }));

// --- options of a request
const ask = body => post(`${P}/generate`, { messages: 'Hello', ...body });
for (const [name, body] of Object.entries({
  instructions: { instructions: 'Be brief.' }, system: { system: 'Extra.' }, context: { context: [{ role: 'user', content: 'before' }] },
  settings: { modelSettings: { temperature: 0.5, maxOutputTokens: 10, topP: 0.9, stopSequences: ['x'], seed: 3 } },
  'provider options': { providerOptions: { mock: { a: 1 } } }, 'request context': { requestContext: { a: 1 } },
  'a run id': { runId: 'own-run' }, 'a client tool': { clientTools: { mine: { id: 'mine', description: 'd', inputSchema: { type: 'object', properties: {} } } } },
  'returned data': { returnScorerData: true }, 'active tools': { activeTools: [] }, 'a tool choice': { toolChoice: 'none' },
  'metadata': { tracingOptions: { metadata: { a: 1 } } },
})) {
  await call(`option: ${name}`, () => ask(body));
}
await call('option: a client tool is called', () => ask({ messages: 'CALL:mine:{"x":1}', clientTools: { mine: { id: 'mine',
  description: 'd', inputSchema: { type: 'object', properties: { x: { type: 'number' } } } } } }));
await call('option: a client tool is called in a stream', async () => chunks(await plain.stream('CALL:mine:{"x":1}', {
  clientTools: { mine: { id: 'mine', description: 'd', inputSchema: { type: 'object', properties: { x: { type: 'number' } } } } } })));
await call('option: approval for all', () => post(`${A}/generate`, { messages: 'weather', requireToolApproval: true, runId: 'all-1' }));
await call('option: two calls', () => weather.generate('weather two'));

// --- approvals, whole
const waiting = async (n, what = 'generate') => {
  await post(`${A}/${what}`, { messages: 'delete', runId: `g-${n}`, ...memory(`g-${n}`) });
  const { body } = await get(`${A}/suspended-runs?threadId=thread-g-${n}`);
  return { runId: `g-${n}`, toolCallId: body.runs?.[0]?.toolCalls?.[0]?.toolCallId };
};
await call('approve, whole', async () => post(`${A}/approve-tool-call-generate`, await waiting(1)));
await call('decline, whole', async () => post(`${A}/decline-tool-call-generate`, await waiting(2)));
await call('decline, streamed', async () => post(`${A}/decline-tool-call`, { ...await waiting(3, 'stream'), reason: 'no' }));
await call('approve by a message', async () => post(`${A}/send-tool-approval`, { ...await waiting(4, 'stream'), approved: true,
  resourceId: 'ann', threadId: 'thread-g-4' }));
await call('approve by a message, badly', () => post(`${A}/send-tool-approval`, {}));
await call('decline, unknown', () => post(`${A}/decline-tool-call`, { runId: 'none', toolCallId: 'x' }));
await call('decline, badly', () => post(`${A}/decline-tool-call`, {}));
await call('resume, unknown', () => post(`${A}/resume-stream`, { runId: 'none', resumeData: {} }));
await call('resume, badly', () => post(`${A}/resume-stream`, {}));
await call('resume until idle, unknown', () => post(`${A}/resume-stream-until-idle`, { runId: 'none', resumeData: {} }));
await call('suspended runs: none', () => get(`${A}/suspended-runs?threadId=none`));
await call('suspended runs: all', async () => (await get(`${A}/suspended-runs?resourceId=nobody`)));
await call('recover, unknown', () => post(`${A}/recover`, { runId: 'none' }));
await call('recover, badly', () => post(`${A}/recover`, {}));

// --- messages to threads
await call('message: sent', () => post(`${A}/send-message`, { message: 'Hello', resourceId: 'ann', threadId: 'msg-1' }));
await call('message: sent badly', () => post(`${A}/send-message`, {}));
await call('message: queued', () => post(`${A}/queue-message`, { message: 'Hello', resourceId: 'ann', threadId: 'msg-2' }));
await call('message: signal', () => post(`${A}/signals`, { signal: { type: 'user-message', contents: 'Hello' }, resourceId: 'ann', threadId: 'msg-3' }));
await call('message: bad signal', () => post(`${A}/signals`, { signal: {} }));
await call('message: abort', () => post(`${A}/threads/abort`, { resourceId: 'ann', threadId: 'msg-9' }));
await call('message: abort badly', () => post(`${A}/threads/abort`, {}));

await call('instructions', () => post(`${P}/instructions/enhance`, { instructions: 'Be good', comment: 'shorter' }));
await call('instructions, badly', () => post(`${P}/instructions/enhance`, {}));
