// Graphs and runs at their odd ends: what is missing, fails together, waits several times over.
import { call, client, get, post, remove, sleep } from '../kit.mjs';
import { definition } from './definitions.mjs';
import { at, ofRun, settled, until } from './runs.mjs';

const stored = '/api/stored/workflows';
const number = { type: 'number' };
const string = { type: 'string' };
const object = (properties, ...required) => ({ type: 'object', properties, required });
const list = items => ({ type: 'array', items });
const any = { type: 'object', additionalProperties: true };
const N = object({ n: number }, 'n');
const V = object({ value: string }, 'value');
const Q = object({ question: string }, 'question');
const tool = (id, toolId, options) => ({ type: 'tool', id, toolId, ...(options && { options }) });
const mapping = (id, config) => ({ type: 'mapping', id, mapConfig: JSON.stringify(config) });
const inner = (id, workflowId, more) => ({ type: 'workflow', id, workflowId, ...more });
const compare = (op, left, right) => ({ op, left: { path: left }, right: { literal: right } });

const branch = (predicate, id = 'yes') => ({ type: 'conditional', steps: [tool(id, 'echo-tool')], predicates: [predicate] });
const odd = object({ n: number, s: string, l: list(any), o: any, b: { type: 'boolean' }, z: {} });
const values = { n: 0, s: '10', l: [{ k: 'first' }, { k: 'second' }], o: { 'a b': 1, deep: { er: null } }, b: false, z: null };

// how values become text, and what a path finds
const shown = {
  'true and null': { template: '[${initData.b}] [${initData.z}] [${initData.gone}]' },
  numbers: { template: '${initData.n}${initData.n}' },
  'an item': { template: '${initData.l.0.k}' },
  'an item by path': { initData: true, path: 'l.1.k' },
  'no such item': { initData: true, path: 'l.7' },
  length: { initData: true, path: 'l.length' },
  'a name with a space': { initData: true, path: 'o.a b' },
  'null below': { initData: true, path: 'o.deep.er' },
  dollars: { template: '$${initData.s} $ {x} ${initData.s}$' },
  nothing: { template: '' },
  unclosed: { template: '${initData.s' },
  'no path': { initData: true, path: '' },
  false: { value: false },
  zero: { value: 0 },
  'of state': { template: '${state.list.1} ${state.gone}' },
};
const facts = {
  'less, of texts': compare('lt', 'initData.s', '9'), 'greater, text and number': compare('gt', 'initData.s', 9),
  'equal, false and zero': compare('eq', 'initData.n', false), 'equal, zero': compare('eq', 'initData.n', 0),
  'equal objects': { op: 'eq', left: { path: 'initData.o' }, right: { path: 'initData.o' } },
  'equal to a list': compare('eq', 'initData.l', [1]), 'not equal to null': compare('ne', 'initData.z', null),
  'less than what is missing': { op: 'lt', left: { literal: 1 }, right: { path: 'initData.gone' } },
  'missing twice': { op: 'eq', left: { path: 'initData.gone' }, right: { path: 'initData.lost' } },
  'not equal, missing twice': { op: 'ne', left: { path: 'initData.gone' }, right: { path: 'initData.lost' } },
  'null and less': compare('lte', 'initData.z', 0), 'an item': compare('eq', 'initData.l.0.k', 'first'),
  length: compare('eq', 'initData.l.length', 2), 'deep and missing': { op: 'exists', path: 'initData.o.x.y.z' },
  'deep and null': { op: 'exists', path: 'initData.o.deep.er' }, 'not deep': { op: 'notExists', path: 'initData.o.deep.er.x' },
  'truthy zero': { op: 'truthy', value: { path: 'initData.n' } }, 'truthy object': { op: 'truthy', value: { path: 'initData.o' } },
  'falsy false': { op: 'falsy', value: { path: 'initData.b' } }, 'truthy literal': { op: 'truthy', value: { literal: 'x' } },
  'in numbers and texts': { op: 'in', value: { path: 'initData.s' }, set: [10, '10'] },
  'in, missing': { op: 'in', value: { path: 'initData.gone' }, set: [null] },
  'not not': { op: 'not', arg: { op: 'not', arg: compare('eq', 'initData.n', 0) } },
  'not of what is missing': { op: 'not', arg: compare('eq', 'initData.gone', 1) },
  'and of nothing': { op: 'and', args: [] }, 'or of nothing': { op: 'or', args: [] },
  'a step before': compare('eq', 'stepResults.first.value', 'v'), 'all input': { op: 'truthy', value: { path: 'inputData' } },
};
const run = (inputData, more) => ({ inputData, ...more });
const flows = {
  'odd mappings': [definition('g-map', odd, [mapping('m', shown)], { stateSchema: any }),
    run(values, { initialState: { list: [1, 2] } }), run({}), run({ l: 'text' })],
  'a template through null': [definition('g-null', odd, [mapping('m', { x: { template: '${initData.z.deep}' } })]), run({ z: null }), run({})],
  'a template of a text': [definition('g-text', odd, [mapping('m', { x: { initData: true, path: 's.length' } })]), run({ s: 'abc' })],
  'a mapping of nothing': [definition('g-empty', any, [mapping('m', {})]), run({}), run([]), run('x'), run(null)],
  'mappings one after the other': [definition('g-maps', any, [mapping('a', { x: { value: [1, { y: 2 }] } }),
    mapping('b', { y: { step: 'a', path: 'x.1.y' }, all: { step: 'a', path: '' } }), mapping('c', { z: { template: '${inputData.all.x}' } })]), run({})],
  'a branch that was not taken': [definition('g-untaken', N, [{ type: 'conditional',
    steps: [tool('big', 'add-tool'), tool('small', 'add-tool')], predicates: [compare('gt', 'initData.n', 5), compare('lte', 'initData.n', 5)] },
    mapping('m', { which: { step: ['big', 'small'], path: 'n' }, big: { step: 'big', path: '.' } })]), run({ n: 1 }), run({ n: 6 })],
  'a template of one that was not taken': [definition('g-untold', N, [{ type: 'conditional',
    steps: [tool('big', 'add-tool')], predicates: [compare('gt', 'initData.n', 5)] },
    mapping('m', { big: { template: '${stepResults.big.n}' } })]), run({ n: 1 }), run({ n: 6 })],
  'branches of which one fails': [definition('g-branch-fails', V, [{ type: 'conditional', steps: [tool('good', 'echo-tool'), tool('bad', 'fail-tool')],
    predicates: [{ op: 'exists', path: 'initData.value' }, { op: 'exists', path: 'initData.value' }] },
    mapping('never', { x: { value: 1 } })]), run({ value: 'v' })],
  'one waits, one fails': [definition('g-wait-fail', object({ question: string, value: string }, 'question', 'value'),
    [{ type: 'parallel', steps: [tool('ask', 'ask-tool'), tool('bad', 'fail-tool')] }]), run({ question: 'q', value: 'v' })],
  'one waits, one is done': [definition('g-wait-done', object({ question: string, value: string }, 'question', 'value'),
    [{ type: 'parallel', steps: [tool('ask', 'ask-tool'), tool('good', 'echo-tool')] },
      mapping('m', { a: { step: 'ask', path: 'answer' }, v: { step: 'good', path: 'value' } })]), run({ question: 'q', value: 'v' })],
  'parallel workflows': [definition('g-pair', N, [{ type: 'parallel', steps: [inner('left', 'g-plus'), inner('right', 'g-plus')] }],
    { dependencies: [definition('g-plus', N, [tool('add', 'add-tool')], { outputSchema: N })] }), run({ n: 1 })],
  'some items fail': [definition('g-some', list(object({ key: string, times: number }, 'key', 'times')), [{ type: 'foreach',
    step: tool('each', 'flaky-tool'), opts: { concurrency: 2 } }]), run([{ key: 'g1', times: 0 }, { key: 'g2', times: 9 }, { key: 'g3', times: 0 }])],
  'items of no kind': [definition('g-items', list(any), [{ type: 'foreach', step: tool('each', 'add-tool') }]),
    run([{ n: 1 }, { n: 'x' }, { n: 3 }]), run([null])],
  'more at once than there are': [definition('g-wide', list(N), [{ type: 'foreach', step: tool('each', 'add-tool'), opts: { concurrency: 50 } }]), run([{ n: 1 }])],
  'items of workflows that fail': [definition('g-each-flow', list(V), [{ type: 'foreach', step: inner('each', 'g-broken') }],
    { outputSchema: list(any), dependencies: [definition('g-broken', V, [tool('bad', 'fail-tool')], { outputSchema: V })] }), run([{ value: 'a' }, { value: 'b' }])],
  'items, then items': [definition('g-each-each', list(N), [{ type: 'foreach', step: tool('one', 'add-tool') },
    { type: 'foreach', step: tool('two', 'add-tool') }], { outputSchema: list(N) }), run([{ n: 1 }, { n: 5 }]), run([])],
  'a loop that fails': [definition('g-loop-fails', V, [{ type: 'loop', step: tool('again', 'fail-tool'), loopType: 'dowhile',
    predicate: compare('eq', 'inputData.value', 'v') }]), run({ value: 'v' })],
  'a loop in a loop': [definition('g-loops', N, [{ type: 'loop', step: inner('outer', 'g-inner-loop'), loopType: 'dountil',
    predicate: compare('gte', 'inputData.n', 6) }], { dependencies: [definition('g-inner-loop', N, [{ type: 'loop',
    step: tool('again', 'add-tool'), loopType: 'dowhile', predicate: compare('lt', 'inputData.n', 3) }], { outputSchema: N })] }), run({ n: 0 })],
  'a loop by state': [definition('g-loop-state', N, [{ type: 'loop', step: tool('again', 'add-tool'), loopType: 'dountil',
    predicate: { op: 'gte', left: { path: 'inputData.n' }, right: { path: 'state.end' } } }], { stateSchema: object({ end: number }) }),
  run({ n: 0 }, { initialState: { end: 3 }, outputOptions: { includeState: true } })],
  'a loop with retries': [definition('g-loop-retry', object({ key: string, times: number }, 'key', 'times'), [{ type: 'loop',
    step: inner('again', 'g-flaky'), loopType: 'dountil', predicate: { op: 'exists', path: 'inputData.key' } }],
  { dependencies: [definition('g-flaky', object({ key: string, times: number }, 'key', 'times'), [tool('flaky', 'flaky-tool', { retries: 3 })],
    { outputSchema: object({ key: string, times: number }, 'key', 'times') })] }), run({ key: 'g9', times: 2 })],
  'three deep': [definition('g-deep', N, [inner('one', 'g-deep-2'), mapping('end', { x: { step: 'one', path: 'n' } })], { dependencies: [
    definition('g-deep-2', N, [inner('two', 'g-deep-3')], { outputSchema: N }), definition('g-deep-3', N, [tool('add', 'add-tool'), tool('more', 'add-tool')], { outputSchema: N })] }),
  run({ n: 1 }), run({ n: 'x' })],
  'deep and failing': [definition('g-deep-fail', V, [inner('one', 'g-deep-fail-2')], { dependencies: [
    definition('g-deep-fail-2', V, [inner('two', 'g-broken')], { outputSchema: V })] }), run({ value: 'v' })],
  'sleeps in a row': [definition('g-sleeps', N, [{ type: 'sleep', id: 'a', duration: 0 }, { type: 'sleep', id: 'b', duration: 20 },
    { type: 'sleepUntil', id: 'c', date: '2001-02-03T04:05:06Z' }, tool('add', 'add-tool')], { outputSchema: N }), run({ n: 1 })],
  'a sleep alone': [definition('g-nap', any, [{ type: 'sleep', id: 'a', duration: 1 }]), run({ any: 'thing' })],
  'the whole context': [definition('g-context', any, [mapping('m', { a: { requestContextPath: 'who' }, b: { requestContextPath: 'gone' },
    c: { template: '${requestContext.who}/${requestContext.gone}/${requestContext.n}' } })], { requestContextSchema: object({ who: string, n: number }, 'who') }),
  run({}, { requestContext: { who: 'ann', n: 5, more: [1] } })],
  'an output that does not fit': [definition('g-output', any, [mapping('m', { n: { value: 'text' } })], { outputSchema: any }), run({})],
  'an agent and its words': [definition('g-agent', V, [mapping('p', { prompt: { template: 'Say ${initData.value}' } }),
    { type: 'agent', id: 'say', agentId: 'plain-agent' }, mapping('q', { prompt: { template: 'Again: ${stepResults.say.text}' } }),
    { type: 'agent', id: 'again', agentId: 'plain-agent', options: { retries: 1 } }]), run({ value: 'hi' })],
  'agents at once': [definition('g-agents', object({ prompt: string }, 'prompt'), [{ type: 'parallel', steps: [
    { type: 'agent', id: 'a', agentId: 'plain-agent' }, { type: 'agent', id: 'b', agentId: 'plain-agent' }] }]), run({ prompt: 'both' })],
  'items of an agent': [definition('g-each-agent', list(object({ prompt: string }, 'prompt')), [{ type: 'foreach', step: { type: 'agent', id: 'a', agentId: 'plain-agent' } }]),
    run([{ prompt: 'one' }, { prompt: 'two' }])],
};
for (const [name, predicate] of Object.entries(facts)) {
  const id = `g-p-${name.replace(/\W+/g, '-')}`;
  flows[`predicate ${name}`] = [definition(id, odd, [mapping('start', { value: { value: 'v' } }), tool('first', 'echo-tool'), branch(predicate)]), run(values)];
}

for (const [name, [body, ...inputs]] of Object.entries(flows)) {
  await call(`graph ${name}: stored`, () => post(stored, body));
  for (const [i, input] of inputs.entries()) {
    const id = `${body.id}-run-${i}`;
    await call(`graph ${name}: started ${i}`, () => post(at(body.id, 'start-async', id), input));
    if (!name.startsWith('predicate')) {
      await call(`graph ${name}: read ${i}`, () => get(ofRun(body.id, id)));
      await call(`graph ${name}: listed ${i}`, async () => (await get(`/api/workflows/${body.id}/runs?perPage=1&page=0`)).body.runs?.[0]);
      if (!/retry|some items/.test(name)) {
        await call(`graph ${name}: streamed ${i}`, async () => settled(await post(at(body.id, 'stream', `${id}-s`), input)));
      }
    }
  }
}

// --- several that wait, resumed in every way
const answer = { resumeData: { answer: 'so' } };
const ask = (id = 'ask') => tool(id, 'ask-tool');
const asked = async (id, runId, inputData) => post(at(id, 'start-async', runId), { inputData });
const A = { outputSchema: object({ answer: string }, 'answer') };
const deep = definition('w-deep', Q, [inner('one', 'w-deep-2'), mapping('m', { said: { step: 'one', path: 'answer' } })], { dependencies: [
  definition('w-deep-3', Q, [ask(), mapping('out', { answer: { step: 'ask', path: 'answer' } })], A), definition('w-deep-2', Q, [inner('two', 'w-deep-3')], A)] });
await post(stored, deep);
await post(stored, definition('w-twice', Q, [ask('first'), mapping('m', { question: { template: 'and ${stepResults.first.answer}?' } }), ask('second')]));
await post(stored, definition('w-pair', Q, [{ type: 'parallel', steps: [inner('left', 'w-deep-3'), ask('right')] },
  mapping('m', { l: { step: 'left', path: '.' }, r: { step: 'right', path: 'answer' } })]));
await post(stored, definition('w-loop', Q, [{ type: 'loop', step: inner('again', 'w-round'), loopType: 'dountil',
  predicate: compare('eq', 'inputData.question', 'stop') }], { dependencies: [definition('w-round', Q, [ask(),
  mapping('next', { question: { step: 'ask', path: 'answer' } })], { outputSchema: Q })] }));
await post(stored, definition('w-each', list(Q), [{ type: 'foreach', step: ask('each'), opts: { concurrency: 3 } }]));

await call('wait: deep: stored', () => post(stored, deep));
await call('wait: deep: started', () => asked('w-deep', 'wd-1', { question: 'q' }));
await call('wait: deep: read', () => get(ofRun('w-deep', 'wd-1')));
await call('wait: deep: wrong path', () => post(at('w-deep', 'resume-async', 'wd-1'), { step: ['one', 'nope'], ...answer }));
await call('wait: deep: path', async () => {
  await asked('w-deep', 'wd-2', { question: 'q' });
  return [await post(at('w-deep', 'resume-async', 'wd-2'), { step: ['one', 'two', 'ask'], ...answer }), await get(ofRun('w-deep', 'wd-2'))];
});
await call('wait: deep: streamed', async () => {
  const first = await post(at('w-deep', 'stream', 'wd-3'), { inputData: { question: 'q' } });
  return [first, await post(at('w-deep', 'resume-stream', 'wd-3'), { step: ['one', 'two', 'ask'], ...answer })];
});
await call('wait: deep: by client-js', async () => {
  const one = await client.getWorkflow('w-deep').createRun({ runId: 'wd-4' });
  await one.startAsync({ inputData: { question: 'q' } });
  return one.resumeAsync({ step: 'one.two.ask', ...answer });
});
await call('wait: twice', async () => {
  const first = await asked('w-twice', 'wt-1', { question: 'q' });
  const wrong = await post(at('w-twice', 'resume-async', 'wt-1'), { step: 'second', ...answer });
  const second = await post(at('w-twice', 'resume-async', 'wt-1'), { step: 'first', ...answer });
  const read = await get(ofRun('w-twice', 'wt-1'));
  return [first, wrong, second, read, await post(at('w-twice', 'resume-async', 'wt-1'), answer), await get(ofRun('w-twice', 'wt-1'))];
});
await call('wait: twice, streamed', async () => {
  const all = [await post(at('w-twice', 'stream', 'wt-2'), { inputData: { question: 'q' } })];
  all.push(await post(at('w-twice', 'resume-stream', 'wt-2'), { step: 'first', ...answer }));
  all.push(await post(at('w-twice', 'resume-stream', 'wt-2'), { step: 'second', ...answer }));
  return all;
});
await call('wait: pair', async () => {
  const first = await asked('w-pair', 'wp-1', { question: 'q' });
  const read = await get(ofRun('w-pair', 'wp-1'));
  const one = await post(at('w-pair', 'resume-async', 'wp-1'), { step: ['left', 'ask'], ...answer });
  return [first, read, one, await post(at('w-pair', 'resume-async', 'wp-1'), { step: 'right', ...answer })];
});
await call('wait: loop', async () => {
  const all = [await asked('w-loop', 'wl-1', { question: 'q' })];
  all.push(await post(at('w-loop', 'resume-async', 'wl-1'), { resumeData: { answer: 'more' } }));
  all.push(await post(at('w-loop', 'resume-async', 'wl-1'), { step: ['again', 'ask'], resumeData: { answer: 'stop' } }));
  return all;
});
const three = [{ question: 'a' }, { question: 'b' }, { question: 'c' }];
await call('wait: each: started', () => asked('w-each', 'we-1', three));
await call('wait: each: read', () => get(ofRun('w-each', 'we-1')));
await call('wait: each: a wrong index', () => post(at('w-each', 'resume-async', 'we-1'), { step: 'each', forEachIndex: -1, ...answer }));
await call('wait: each: an index that is none', () => post(at('w-each', 'resume-async', 'we-1'), { step: 'each', forEachIndex: 'x', ...answer }));
await call('wait: each: the second', () => post(at('w-each', 'resume-async', 'we-1'), { step: 'each', forEachIndex: 1, ...answer }));
await call('wait: each: the third, streamed', () => post(at('w-each', 'resume-stream', 'we-1'), { step: 'each', forEachIndex: 2, ...answer }));
await call('wait: each: the first', () => post(at('w-each', 'resume-async', 'we-1'), { step: 'each', forEachIndex: 0, ...answer }));
await call('wait: each: over', () => get(ofRun('w-each', 'we-1')));
await call('wait: one of two is done', async () => {
  const id = 'g-wait-done';
  await asked(id, 'gw-1', { question: 'q', value: 'v' });
  return [await post(at(id, 'resume-async', 'gw-1'), answer), await get(ofRun(id, 'gw-1'))];
});

// --- back in time, into what is nested
const back = (id, runId, body, what = 'time-travel-async') => post(at(id, what, runId), body);
await call('back: three deep', async () => {
  await post(at('g-deep', 'start-async', 'b-1'), { inputData: { n: 1 } });
  return [await back('g-deep', 'b-1', { step: ['one', 'two', 'more'], inputData: { n: 40 } }), await get(ofRun('g-deep', 'b-1'))];
});
await call('back: three deep, by name', () => back('g-deep', 'b-1', { step: 'one.two.more', inputData: { n: 50 } }));
await call('back: to the nested one', () => back('g-deep', 'b-1', { step: 'one', inputData: { n: 60 } }));
await call('back: nested context', () => back('g-deep', 'b-1', { step: ['one', 'two', 'more'], nestedStepsContext: {
  'one.two': { add: { status: 'success', payload: { n: 7 }, output: { n: 8 }, startedAt: 1, endedAt: 2 } } } }));
await call('back: into a branch', async () => {
  await post(at('g-untaken', 'start-async', 'b-2'), { inputData: { n: 1 } });
  return back('g-untaken', 'b-2', { step: 'small', inputData: { n: 3 } });
});
await call('back: into a branch that was not taken', () => back('g-untaken', 'b-2', { step: 'big', inputData: { n: 9 } }));
await call('back: into one of two', async () => {
  await post(at('g-pair', 'start-async', 'b-3'), { inputData: { n: 1 } });
  return [await back('g-pair', 'b-3', { step: 'left', inputData: { n: 5 } }), await back('g-pair', 'b-3', { step: ['right', 'add'], inputData: { n: 7 } })];
});
await call('back: to a foreach', async () => {
  await post(at('g-each-each', 'start-async', 'b-4'), { inputData: [{ n: 1 }] });
  return back('g-each-each', 'b-4', { step: 'two', inputData: [{ n: 10 }, { n: 20 }] });
});
await call('back: to a loop', async () => {
  await post(at('g-loop-state', 'start-async', 'b-5'), { inputData: { n: 0 }, initialState: { end: 2 } });
  return back('g-loop-state', 'b-5', { step: 'again', inputData: { n: 1 }, initialState: { end: 4 } });
});
await call('back: to a mapping', async () => {
  await post(at('g-maps', 'start-async', 'b-6'), { inputData: {} });
  return [await back('g-maps', 'b-6', { step: 'b' }), await back('g-maps', 'b-6', { step: 'c', inputData: { all: { x: 'new' } } }, 'time-travel-stream')];
});
await call('back: to a sleep', async () => {
  await post(at('g-sleeps', 'start-async', 'b-7'), { inputData: { n: 1 } });
  return back('g-sleeps', 'b-7', { step: 'b', inputData: { n: 4 } });
});
await call('back: of what waits', async () => {
  await asked('w-twice', 'b-8', { question: 'q' });
  return [await back('w-twice', 'b-8', { step: 'second', inputData: { question: 'now?' } }), await post(at('w-twice', 'resume-async', 'b-8'), { step: 'second', ...answer })];
});
await call('back: to the end of a pending run', async () => {
  await client.getWorkflow('g-maps').createRun({ runId: 'b-9' });
  return back('g-maps', 'b-9', { step: 'c', inputData: { all: { x: 1 } } });
});
await call('back: badly', () => back('g-maps', 'b-6', { step: 5 }));
await call('back: an empty list', () => back('g-maps', 'b-6', { step: [] }));
await call('back: too deep', () => back('g-maps', 'b-6', { step: ['b', 'x'] }));

// --- what cannot be begun again, ended, taken up
for (const [name, id, runId] of [['failed', 'g-branch-fails', 'g-branch-fails-run-0'], ['waiting', 'w-each', 'we-2'], ['over', 'g-nap', 'g-nap-run-0']]) {
  if (runId === 'we-2') await asked(id, runId, three);
  await call(`${name}: restart`, () => post(at(id, 'restart', runId), {}));
  await call(`${name}: started again`, () => post(at(id, 'start-async', runId), { inputData: id === 'w-each' ? three : { value: 'v' } }));
  await call(`${name}: cancel`, () => post(ofRun(id, runId, '/cancel'), {}));
  await call(`${name}: then`, async () => (await get(ofRun(id, runId, '?fields=result'))).body.status);
}
await call('cancel: asleep', async () => {
  await post(stored, definition('g-long', any, [{ type: 'sleep', id: 'long', duration: 60000 }]));
  await client.getWorkflow('g-long').createRun({ runId: 'c-1' });
  await post(at('g-long', 'start', 'c-1'), { inputData: {} });
  await sleep(500);
  const asleep = await get(ofRun('g-long', 'c-1'));
  const ended = await post(ofRun('g-long', 'c-1', '/cancel'), {});
  return [asleep, ended, await until('g-long', 'c-1', 'canceled')];
});
await call('cancel: asleep, read', () => get(ofRun('g-long', 'c-1')));

// --- lists, pages, dates, fields
for (const [i, who] of ['eve', 'eve', 'joe'].entries()) {
  await post(at('g-nap', 'start-async', `l-${i}`), { inputData: { i }, resourceId: who });
}
const short = async query => {
  const { status, body } = await get(`/api/workflows/g-nap/runs${query}`);
  return [status, body.total, body.runs?.map(({ runId, resourceId, snapshot }) => [runId, resourceId, typeof snapshot, snapshot?.status]) ?? body];
};
const [now, hour] = [Date.now(), 3600000];
for (const query of ['?resourceId=eve', '?resourceId=eve&status=success', '?resourceId=eve&status=failed', '?resourceId=eve&perPage=1&page=1',
  '?resourceId=eve&perPage=2&page=1', '?resourceId=eve&limit=1&offset=1', '?resourceId=eve&limit=1&page=1', '?resourceId=eve&offset=1', '?resourceId=eve&page=1',
  '?resourceId=eve&perPage=1', '?resourceId=eve&page=0', '?resourceId=', '?status=', '?resourceId=eve&resourceId=joe', '?perPage=false', '?perPage=1.5&page=0',
  `?resourceId=eve&fromDate=${new Date(now - hour).toISOString()}`, `?resourceId=eve&toDate=${new Date(now + hour).toISOString()}`,
  `?resourceId=eve&fromDate=${now - hour}`, `?resourceId=eve&fromDate=${new Date(now - hour).toISOString()}&toDate=${new Date(now - hour + 1).toISOString()}`,
  '?resourceId=eve&fromDate=2001-01-01', '?resourceId=eve&toDate=2001-01-01', '?fromDate=', '?resourceId=eve&x=y']) {
  await call(`listed ${query.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d{13}/g, 'date')}${query.length > 90 ? ' both' : ''}`, () => short(query));
}
for (const fields of ['result,steps', 'result, steps', 'steps,steps', 'RESULT', 'payload,error,result,steps,activeStepsPath,serializedStepGraph', 'runId', 'x,result', ',',
  'suspendedPaths', 'result&withNestedWorkflows=0', 'steps&withNestedWorkflows=false', 'steps&withNestedWorkflows=true', 'initialState']) {
  await call(`fields ${fields}`, () => get(ofRun('g-deep', 'g-deep-run-0', `?fields=${fields}`)));
}

// --- bundles and versions
await call('bundle: twice the same', () => post(stored, definition('v-out', N, [inner('in', 'v-in')], { dependencies: [
  definition('v-in', N, [tool('add', 'add-tool')], { outputSchema: N }), definition('v-in', N, [tool('add', 'add-tool')], { outputSchema: N })] })));
await call('bundle: itself among them', () => post(stored, definition('v-self', N, [inner('in', 'v-in')], { dependencies: [definition('v-self', N, [tool('add', 'add-tool')])] })));
await call('bundle: more than is needed', () => post(stored, definition('v-more', N, [tool('add', 'add-tool')], { dependencies: [definition('v-extra', N, [tool('add', 'add-tool')])] })));
await call('bundle: one below the other', () => post(stored, definition('v-top', N, [inner('in', 'v-mid')], { dependencies: [
  definition('v-mid', N, [inner('low', 'v-low')], { outputSchema: N, dependencies: [definition('v-low', N, [tool('add', 'add-tool')], { outputSchema: N })] })] })));
await call('bundle: no list', () => post(stored, definition('v-none', N, [tool('add', 'add-tool')], { dependencies: {} })));
await call('version: a run keeps its graph', async () => {
  const [one, two] = [definition('v-kept', Q, [ask(), mapping('m', { v: { value: 1 } })]), definition('v-kept', Q, [ask(), mapping('m', { v: { value: 2 } })])];
  await post(stored, one);
  await asked('v-kept', 'v-1', { question: 'q' });
  const again = await post(stored, two);
  const old = await post(at('v-kept', 'resume-async', 'v-1'), answer);
  await asked('v-kept', 'v-2', { question: 'q' });
  return [again, old.body.status, (await post(at('v-kept', 'resume-async', 'v-2'), answer)).body.result];
});
await call('version: deleted while a run waits', async () => {
  await asked('v-kept', 'v-3', { question: 'q' });
  return [await remove(`${stored}/v-kept`), (await get(ofRun('v-kept', 'v-3'))).status, (await post(at('v-kept', 'resume-async', 'v-3'), answer)).status];
});
await call('stored: with an author', async () => {
  await post(stored, definition('v-by', any, [mapping('m', {})], { metadata: { by: 'ann' }, authorId: 'ann', status: 'archived' }));
  return get(`${stored}/v-by`);
});
await call('stored: unknown members', () => post(stored, definition('v-odd', any, [{ ...mapping('m', {}), more: 1 }], { whatever: true })));
await call('stored: read again', () => get(`${stored}/v-odd`));
