// Threads, messages, and what agents remember.
import { call, chunks, client, memory, post, raw } from '../kit.mjs';

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
