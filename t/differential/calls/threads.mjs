// The rest of memory: pages and orders, what may not be done, the older network paths.
import { call, client, get, patch, post, remove } from '../kit.mjs';

const threads = '/api/memory/threads';
const agent = 'agentId=weather-agent';
const json = value => encodeURIComponent(JSON.stringify(value));
const message = (id, threadId, more = {}) => ({
  id, threadId, resourceId: 'cat', role: 'user', type: 'text', createdAt: '2026-01-02T03:04:05.000Z',
  content: { format: 2, parts: [{ type: 'text', text: `text of ${id}` }] }, ...more,
});

// --- client-js
await call('client: create', () => client.createMemoryThread({ agentId: 'weather-agent', threadId: 'c-1',
  resourceId: 'cat', title: 'One', metadata: { a: 1, deep: { b: true } } }));
await call('client: create again', () => client.createMemoryThread({ agentId: 'weather-agent', threadId: 'c-1',
  resourceId: 'cat', title: 'Again' }));
for (let i = 2; i < 6; i++) {
  await call(`client: create ${i}`, () => client.createMemoryThread({ agentId: 'weather-agent', threadId: `c-${i}`,
    resourceId: 'cat', title: `T${i}`, metadata: { even: i % 2 === 0, n: i } }));
}
const thread = client.getMemoryThread({ threadId: 'c-1', agentId: 'weather-agent' });
await call('client: get', () => thread.get());
await call('client: update', () => thread.update({ title: 'Two', metadata: { c: 3 }, resourceId: 'cat' }));
await call('client: list', () => client.listMemoryThreads({ resourceId: 'cat', agentId: 'weather-agent' }));
await call('client: save', () => client.saveMessageToMemory({ agentId: 'weather-agent',
  messages: [message('c-m1', 'c-1'), message('c-m2', 'c-1', { role: 'assistant', createdAt: '2026-01-02T03:04:06.000Z' })] }));
await call('client: messages', () => thread.listMessages());
await call('client: messages of a thread', () => client.listThreadMessages('c-1', { agentId: 'weather-agent' }));
await call('client: delete messages', () => thread.deleteMessages(['c-m1']));
await call('client: delete one more', () => thread.deleteMessages('c-m2'));
await call('client: clone', () => thread.clone({ newThreadId: 'c-clone' }));
await call('client: working memory', () => client.updateWorkingMemory({ agentId: 'notes-agent', threadId: 'c-2',
  resourceId: 'cat', workingMemory: '# cat' }));
await call('client: its working memory', () => client.getWorkingMemory({ agentId: 'notes-agent', threadId: 'c-2', resourceId: 'cat' }));
await call('client: search', () => client.searchMemory({ agentId: 'weather-agent', resourceId: 'cat', threadId: 'c-1', searchQuery: 'zzz' }));
await call('client: config', () => client.getMemoryConfig({ agentId: 'weather-agent' }));
await call('client: status', () => client.getMemoryStatus('weather-agent'));
await call('client: status of a thread', () => client.getMemoryStatus('weather-agent', undefined, { resourceId: 'cat', threadId: 'c-1' }));
await call('client: delete', () => client.deleteThread('c-clone', { agentId: 'weather-agent' }));

// --- lists of threads
for (const query of ['', '&perPage=2', '&perPage=2&page=1', '&perPage=2&page=9', '&perPage=0', '&perPage=false', '&page=x',
  '&page=-1', '&perPage=-1', '&perPage=1.5', `&orderBy=${json({ field: 'createdAt', direction: 'ASC' })}`,
  `&orderBy=${json({ field: 'updatedAt', direction: 'DESC' })}`, '&orderBy[field]=createdAt&orderBy[direction]=ASC',
  `&orderBy=${json({ field: 'title' })}`, `&orderBy=${json({ direction: 'UP' })}`, `&orderBy=${json({ direction: 'ASC' })}`,
  `&metadata=${json({ even: true })}`, `&metadata=${json({ n: 3 })}`, `&metadata=${json({ n: 3, even: true })}`,
  `&metadata=${json({ none: 1 })}`, '&metadata=x', `&metadata=${json({ 'a b': 1 })}`, '&unknown=1']) {
  await call(`threads ${decodeURIComponent(query)}`, () => get(`${threads}?resourceId=cat&${agent}${query}`));
}
await call('threads of nobody', () => get(`${threads}?resourceId=nobody`));
await call('threads of two', () => get(`${threads}?resourceId=cat&resourceId=ann`));

// --- lists of messages
await call('messages: saved', () => post(`/api/memory/save-messages?${agent}`, { messages:
  Array.from({ length: 12 }, (_, i) => message(`l-${i}`, 'c-3', { role: i % 3 === 1 ? 'assistant' : 'user',
    createdAt: new Date(Date.UTC(2026, 1, 1 + i)).toISOString() })) }));
for (const query of ['', '&perPage=5', '&perPage=5&page=1', '&perPage=5&page=2', '&perPage=5&page=3', '&perPage=false',
  '&page=x', `&orderBy=${json({ field: 'createdAt', direction: 'ASC' })}&perPage=5`,
  `&orderBy=${json({ field: 'createdAt', direction: 'DESC' })}&perPage=5`, `&orderBy=${json({ field: 'updatedAt' })}`,
  `&filter=${json({ dateRange: { start: '2026-02-03T00:00:00Z', end: '2026-02-06T00:00:00Z' } })}`,
  `&filter=${json({ dateRange: { start: '2026-02-03T00:00:00Z', startExclusive: true } })}`,
  `&filter=${json({ dateRange: { end: '2026-02-03T00:00:00Z', endExclusive: true } })}`, '&filter=x',
  '&includeSystemReminders=true', '&resourceId=cat', '&resourceId=ann', '&limit=2']) {
  await call(`messages ${decodeURIComponent(query)}`, () => get(`${threads}/c-3/messages?${agent}${query}`));
}
await call('messages without agent', () => get(`${threads}/c-3/messages?perPage=2`));
await call('messages of an unknown agent', () => get(`${threads}/c-3/messages?agentId=none&perPage=2`));
await call('messages of an agent without memory', () => get(`${threads}/c-3/messages?agentId=plain-agent&perPage=2`));
await call('messages of an unknown thread', () => get(`${threads}/none/messages?${agent}`));

// --- saving
const save = messages => post(`/api/memory/save-messages?${agent}`, { messages });
const bare = (id, more) => { const made = message(id, 'c-4'); for (const name of more) delete made[name]; return made; };
for (const name of ['id', 'threadId', 'resourceId', 'role', 'content', 'createdAt', 'type']) {
  await call(`save without ${name}`, () => save([bare(`s-${name}`, [name])]));
}
await call('save none', () => save([]));
await call('save no list', () => save({}));
await call('save nothing', () => post(`/api/memory/save-messages?${agent}`, {}));
await call('save a text', () => save([message('s-text', 'c-4', { content: 'just text' })]));
await call('save parts', () => save([message('s-parts', 'c-4', { content: [{ type: 'text', text: 'a' }, { type: 'text', text: 'b' }] })]));
await call('save a wrong role', () => save([message('s-role', 'c-4', { role: 'robot' })]));
await call('save a system message', () => save([message('s-system', 'c-4', { role: 'system' })]));
await call('save a tool call', () => save([message('s-tool', 'c-4', { role: 'assistant', content: { format: 2, parts: [
  { type: 'tool-invocation', toolInvocation: { state: 'result', toolCallId: 't', toolName: 'x', args: { a: 1 }, result: { b: 2 } } },
  { type: 'text', text: 'done' }], metadata: { m: 1 } } })]));
await call('save again', () => save([message('s-text', 'c-4', { content: { format: 2, parts: [{ type: 'text', text: 'changed' }] } })]));
await call('save without agent', () => post('/api/memory/save-messages', { messages: [message('s-none', 'c-4')] }));
await call('save for an unknown agent', () => post('/api/memory/save-messages?agentId=none', { messages: [message('s-none', 'c-4')] }));
await call('saved', () => get(`${threads}/c-4/messages?${agent}`));

// --- deleting messages
for (const [name, messageIds] of Object.entries({ text: 's-text', object: { id: 's-parts' }, list: ['s-tool'], objects: [{ id: 's-system' }],
  none: ['nope'], empty: [], number: 5, nothing: undefined })) {
  await call(`delete messages: ${name}`, () => post(`/api/memory/messages/delete?${agent}`, { messageIds }));
}
await call('deleted', () => get(`${threads}/c-4/messages?${agent}`));

// --- threads that are not there, and what does not fit
await call('get an unknown thread', () => get(`${threads}/none?${agent}`));
await call('get without agent', () => get(`${threads}/c-5`));
await call('get of an unknown agent', () => get(`${threads}/c-5?agentId=none`));
await call('update an unknown thread', () => patch(`${threads}/none?${agent}`, { title: 'x' }));
await call('update nothing', () => patch(`${threads}/c-5?${agent}`, {}));
await call('update badly', () => patch(`${threads}/c-5?${agent}`, { title: 5, metadata: [] }));
await call('update without agent', () => patch(`${threads}/c-5`, { title: 'y' }));
await call('delete an unknown thread', () => remove(`${threads}/none?${agent}`));
await call('delete without agent', () => remove(`${threads}/c-5`));
await call('create without agent', () => post(threads, { resourceId: 'cat', threadId: 'c-9' }));
await call('create for an unknown agent', () => post(`${threads}?agentId=none`, { resourceId: 'cat' }));
await call('create for one without memory', () => post(`${threads}?agentId=plain-agent`, { resourceId: 'cat' }));
await call('create without an id', () => post(`${threads}?${agent}`, { resourceId: 'cat' }));
await call('notes without resource', () => get(`${threads}/c-2/working-memory?agentId=notes-agent`));
await call('notes without agent', () => get(`${threads}/c-2/working-memory?resourceId=cat`));
await call('notes of one without', () => get(`${threads}/c-2/working-memory?${agent}&resourceId=cat`));
await call('notes badly', () => post(`${threads}/c-2/working-memory?agentId=notes-agent`, { workingMemory: 5 }));
await call('notes where there are none', () => post(`${threads}/c-2/working-memory?${agent}`, { workingMemory: 'x', resourceId: 'cat' }));

// --- clones
const clone = (id, body) => post(`${threads}/c-3/clone?${agent}`, { newThreadId: id, ...body });
await call('clone: whole', () => clone('k-1'));
await call('clone: its messages', async () => (await get(`${threads}/k-1/messages?${agent}`)).body.messages
  ?.map(({ role, content, createdAt }) => [role, content.parts[0].text, createdAt]));
await call('clone: again', () => clone('k-1'));
await call('clone: titled', () => clone('k-2', { title: 'Copy', metadata: { z: 1 }, resourceId: 'dog' }));
await call('clone: limited', () => clone('k-3', { options: { messageLimit: 3 } }));
await call('clone: dates', () => clone('k-4', { options: { messageFilter: { startDate: '2026-02-03T00:00:00Z', endDate: '2026-02-05T00:00:00Z' } } }));
await call('clone: ids', () => clone('k-5', { options: { messageFilter: { messageIds: ['l-1', 'l-2'] } } }));
await call('clone: badly', () => clone('k-6', { options: { messageLimit: 'x' } }));

// --- the older paths
const network = '/api/memory/network';
await call('network: create', () => post(`${network}/threads?${agent}`, { resourceId: 'cat', threadId: 'n-1', title: 'N' }));
await call('network: list', () => get(`${network}/threads?resourceId=cat&${agent}&perPage=1`));
await call('network: get', () => get(`${network}/threads/n-1?${agent}`));
await call('network: update', () => patch(`${network}/threads/n-1?${agent}`, { title: 'M' }));
await call('network: save', () => post(`${network}/save-messages?${agent}`, { messages: [message('n-m1', 'n-1')] }));
await call('network: messages', () => get(`${network}/threads/n-1/messages?${agent}`));
await call('network: delete messages', () => post(`${network}/messages/delete?${agent}`, { messageIds: ['n-m1'] }));
await call('network: delete', () => remove(`${network}/threads/n-1?${agent}`));
await call('network: status', () => get(`${network}/status?${agent}`));
await call('observational: buffer', () => post('/api/memory/observational-memory/buffer-status', { agentId: 'notes-agent' }));
