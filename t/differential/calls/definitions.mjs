// Definitions of workflows: one for each kind of step, and those that no server may take.

const number = { type: 'number' };
const string = { type: 'string' };
const object = (properties, ...required) => ({ type: 'object', properties, required });
const any = { type: 'object' };
const N = object({ n: number }, 'n');
const D = object({ d: number }, 'd');
const V = object({ value: string }, 'value');
const text = value => JSON.stringify(value);
const tool = (id, toolId, options) => ({ type: 'tool', id, toolId, ...(options && { options }) });
const mapping = (id, config) => ({ type: 'mapping', id, mapConfig: text(config) });
const path = name => ({ path: name });
const literal = value => ({ literal: value });
const compare = (op, left, right) => ({ op, left: path(left), right: literal(right) });

export const definition = (id, inputSchema, graph, more = {}) =>
  ({ id, description: `About ${id}`, inputSchema, outputSchema: any, graph, ...more });

const ask = (id = 'ask') => tool(id, 'ask-tool');
const Q = object({ question: string }, 'question');

// each predicate once; which branches run says what they came to
const predicates = {
  eq: compare('eq', 'initData.n', 3), ne: compare('ne', 'initData.n', 3),
  lt: compare('lt', 'initData.n', 5), lte: compare('lte', 'initData.n', 3),
  gt: compare('gt', 'initData.n', 3), gte: compare('gte', 'initData.n', 3),
  'eq-text': compare('eq', 'initData.s', 'abc'), 'lt-text': compare('lt', 'initData.s', 'b'),
  'eq-mixed': compare('eq', 'initData.n', '3'),
  'eq-null': compare('eq', 'initData.z', null), 'ne-missing': compare('ne', 'initData.gone', 1),
  paths: { op: 'eq', left: path('initData.n'), right: path('inputData.n') },
  in: { op: 'in', value: path('initData.s'), set: ['abc', 'd'] },
  'in-literal': { op: 'in', value: path('initData.n'), set: [1, 2, 3] },
  notIn: { op: 'notIn', value: path('initData.s'), set: ['x'] },
  'notIn-missing': { op: 'notIn', value: path('initData.gone'), set: ['x'] },
  exists: { op: 'exists', path: 'initData.s' }, 'exists-null': { op: 'exists', path: 'initData.z' },
  notExists: { op: 'notExists', path: 'initData.gone' },
  truthy: { op: 'truthy', value: path('initData.n') }, 'truthy-empty': { op: 'truthy', value: path('initData.e') },
  'truthy-list': { op: 'truthy', value: path('initData.l') },
  falsy: { op: 'falsy', value: path('initData.e') }, 'falsy-missing': { op: 'falsy', value: path('initData.gone') },
  and: { op: 'and', args: [compare('eq', 'initData.n', 3), compare('eq', 'initData.s', 'abc')] },
  or: { op: 'or', args: [compare('eq', 'initData.n', 4), compare('eq', 'initData.s', 'abc')] },
  not: { op: 'not', arg: compare('eq', 'initData.n', 4) },
  deep: compare('eq', 'initData.o.a', 1),
  step: compare('eq', 'stepResults.first.value', 'x'), state: compare('eq', 'state.x', 1),
};
const factual = object({ n: number, s: string, e: string, z: { type: ['string', 'null'] },
  l: { type: 'array', items: number }, o: object({ a: number }), gone: number });
const facts = { n: 3, s: 'abc', e: '', z: null, l: [7], o: { a: 1 } };

const mappings = {
  number: { value: 1 }, nothing: { value: null }, nested: { value: { a: [1, { b: 2 }] } },
  initial: { initData: true, path: 'o.a' }, 'whole-input': { initData: true, path: '.' },
  'from-step': { step: 'first', path: 'value' }, 'from-steps': { step: ['gone', 'first'], path: 'value' },
  'whole-step': { step: 'first', path: '.' },
  template: { template: 'n=${initData.n} s=${initData.s} v=${stepResults.first.value} i=${inputData.value}' },
  'template-odd': { template: 'z=${initData.z} l=${initData.l} o=${initData.o} b=${state.x} c=${requestContext.who}' },
  context: { requestContextPath: 'who' },
};

// name: [definition, inputs...]; an input may be { inputData, initialState, requestContext, ... }
const run = inputData => ({ inputData });
export const flows = {
  simple: [definition('d-simple', N, [tool('add', 'add-tool'), tool('double', 'double-tool')],
    { outputSchema: D }), run({ n: 3 }), run({ n: 'x' }), run({}), {}, run({ n: 3, more: 1 })],
  agent: [definition('d-agent', object({ topic: string }, 'topic'), [
    mapping('prompt', { prompt: { template: 'About ${initData.topic}' } }),
    { type: 'agent', id: 'write', agentId: 'plain-agent', description: 'Writes' },
  ], { outputSchema: object({ text: string }, 'text') }), run({ topic: 'cats' })],
  'agent object': [definition('d-agent-object', object({ topic: string }, 'topic'), [
    mapping('prompt', { prompt: { template: 'About ${initData.topic}' } }),
    { type: 'agent', id: 'write', agentId: 'plain-agent', outputSchema: object({ answer: string, n: number }, 'answer', 'n') },
    mapping('end', { said: { step: 'write', path: 'answer' } }),
  ]), run({ topic: 'cats' })],
  'agent with a tool': [definition('d-agent-tool', object({ prompt: string }, 'prompt'), [
    { type: 'agent', id: 'look', agentId: 'weather-agent' },
  ]), run({ prompt: 'weather' })],
  'agent that fails': [definition('d-agent-fails', object({ prompt: string }, 'prompt'), [
    { type: 'agent', id: 'write', agentId: 'plain-agent' },
  ]), run({ prompt: 'FAIL400' })],
  mappings: [definition('d-mappings', factual, [
    mapping('start', { value: { value: 'x' } }), tool('first', 'echo-tool'), mapping('all', mappings),
  ], { stateSchema: object({ x: number }) }), { inputData: facts, initialState: { x: 1 }, requestContext: { who: 'ann' } }, run({}), run({ n: 1 })],
  'mapping of a missing step': [definition('d-mapping-gone', object({ o: object({ deep: string }) }), [
    mapping('start', { value: { value: 'x' } }), mapping('all', { a: { initData: true, path: 'o.deep' } }),
  ]), run({})],
  nested: [definition('d-nested', N, [
    { type: 'workflow', id: 'inner', workflowId: 'd-simple', description: 'inside' },
    mapping('end', { n: { step: 'inner', path: 'd' } }),
  ]), run({ n: 3 })],
  parallel: [definition('d-parallel', N, [{ type: 'parallel', id: 'both', steps: [
    tool('add', 'add-tool'), tool('double', 'double-tool'),
    { type: 'workflow', id: 'inner', workflowId: 'd-simple' } ] },
    mapping('end', { a: { step: 'add', path: 'n' }, d: { step: 'double', path: 'd' }, i: { step: 'inner', path: 'd' } }),
  ]), run({ n: 3 })],
  conditional: [definition('d-conditional', N, [{ type: 'conditional', id: 'size',
    steps: [tool('large', 'double-tool'), tool('small', 'add-tool')],
    predicates: [compare('gt', 'initData.n', 10), compare('lte', 'initData.n', 10)] },
  ]), run({ n: 3 }), run({ n: 30 })],
  'conditional, no branch': [definition('d-no-branch', N, [{ type: 'conditional', id: 'size',
    steps: [tool('large', 'double-tool')], predicates: [compare('gt', 'initData.n', 10)] },
    mapping('end', { done: { value: true } }) ]), run({ n: 3 })],
  predicates: [definition('d-predicates', factual, [
    mapping('start', { value: { value: 'x' }, n: { initData: true, path: 'n' } }), tool('first', 'echo-tool'),
    mapping('again', { value: { value: 'x' }, n: { initData: true, path: 'n' } }),
    { type: 'conditional', id: 'which', steps: Object.keys(predicates).map(id => tool(id, 'echo-tool')),
      predicates: Object.values(predicates) },
  ], { stateSchema: object({ x: number }) }), run(facts), { inputData: facts, initialState: { x: 1 } }, run({ n: 9 })],
  foreach: [definition('d-foreach', { type: 'array', items: N }, [
    { type: 'foreach', id: 'every', step: tool('each', 'add-tool'), opts: { concurrency: 1 } },
  ], { outputSchema: { type: 'array', items: N } }), run([{ n: 1 }, { n: 2 }, { n: 3 }]), run([])],
  'foreach two at once': [definition('d-foreach-two', { type: 'array', items: N }, [
    { type: 'foreach', id: 'every', step: tool('each', 'slow-tool'), opts: { concurrency: 2 } },
    mapping('end', { all: { step: 'each', path: '.' } }),
  ]), run([{ n: 100 }, { n: 200 }, { n: 150 }])],
  'foreach of workflows': [definition('d-foreach-flow', { type: 'array', items: N }, [
    { type: 'foreach', step: { type: 'workflow', id: 'each', workflowId: 'd-simple' } },
  ]), run([{ n: 1 }, { n: 2 }])],
  'foreach of no list': [definition('d-foreach-object', any, [
    { type: 'foreach', step: tool('each', 'add-tool') },
  ]), run({ n: 1 })],
  dowhile: [definition('d-dowhile', N, [{ type: 'loop', id: 'up', step: tool('again', 'add-tool'),
    loopType: 'dowhile', predicate: compare('lt', 'stepResults.again.n', 5) }]), run({ n: 1 }), run({ n: 9 })],
  dountil: [definition('d-dountil', N, [{ type: 'loop', id: 'up', step: tool('again', 'add-tool'),
    loopType: 'dountil', predicate: compare('gte', 'inputData.n', 4) }]), run({ n: 1 })],
  'loop of a workflow': [definition('d-loop-flow', N, [
    { type: 'loop', step: { type: 'workflow', id: 'again', workflowId: 'd-loop-inner' },
      loopType: 'dountil', predicate: compare('gte', 'inputData.n', 3) }],
  { dependencies: [definition('d-loop-inner', N, [tool('add', 'add-tool')], { outputSchema: N })] }), run({ n: 1 })],
  sleep: [definition('d-sleep', N, [{ type: 'sleep', id: 'nap', duration: 30 }, tool('add', 'add-tool'),
    { type: 'sleepUntil', id: 'till', date: '2020-01-01T00:00:00.000Z' }]), run({ n: 1 })],
  retries: [definition('d-retries', object({ key: string, times: number }, 'key', 'times'), [
    tool('flaky', 'flaky-tool', { retries: 2, metadata: { a: 1 } })]),
  run({ key: 'a', times: 2 }), run({ key: 'b', times: 3 })],
  state: [definition('d-state', any, [
    mapping('start', { value: { template: '${state.x}/${state.y.z}' } }), tool('first', 'echo-tool')],
  { stateSchema: object({ x: number, y: object({ z: string }) }, 'x') }),
  { inputData: {}, initialState: { x: 1, y: { z: 'q' } }, outputOptions: { includeState: true } },
  { inputData: {}, initialState: { x: 'bad' } }, run({})],
  context: [definition('d-context', any, [
    mapping('start', { value: { requestContextPath: 'who' }, n: { requestContextPath: 'deep.n' } }), tool('first', 'echo-tool')],
  { requestContextSchema: object({ who: string }, 'who') }),
  { inputData: {}, requestContext: { who: 'ann', deep: { n: 1 } } }, run({}), { inputData: {}, requestContext: { who: 5 } }],
  ask: [definition('d-ask', Q, [ask()]), run({ question: 'why' }),
    { inputData: { question: 'why' }, outputOptions: { includeResumeLabels: true, includeState: true } }],
  'ask nested': [definition('d-ask-nested', Q, [{ type: 'workflow', id: 'inner', workflowId: 'd-ask' }]),
    run({ question: 'why' })],
  'ask parallel': [definition('d-ask-parallel', Q, [{ type: 'parallel', steps: [ask('left'), ask('right')] }]),
    run({ question: 'why' })],
  'ask each': [definition('d-ask-each', { type: 'array', items: Q }, [{ type: 'foreach', step: ask('each') }]),
    run([{ question: 'a' }, { question: 'b' }])],
  'ask in a branch': [definition('d-ask-branch', Q, [{ type: 'conditional', steps: [ask()],
    predicates: [compare('eq', 'initData.question', 'why')] }]), run({ question: 'why' })],
  'tool that fails': [definition('d-fails', any, [mapping('start', { value: { value: 'x' } }),
    tool('bad', 'fail-tool'), tool('after', 'echo-tool')]), run({})],
  'parallel that fails': [definition('d-fails-parallel', object({ value: string }, 'value'), [{ type: 'parallel',
    steps: [tool('bad', 'fail-tool'), tool('good', 'echo-tool')] }]), run({ value: 'x' })],
  'foreach that fails': [definition('d-fails-each', { type: 'array', items: V }, [{ type: 'foreach',
    step: tool('each', 'fail-tool') }], { outputSchema: { type: 'array', items: V } }), run([{ value: 'x' }])],
  'nested that fails': [definition('d-fails-nested', any, [{ type: 'workflow', id: 'inner', workflowId: 'd-fails' }]), run({})],
  'step input that does not fit': [definition('d-step-input', any, [mapping('start', { n: { value: 'x' } }),
    tool('add', 'add-tool')]), run({})],
  'tool that needs approval': [definition('d-approve', object({ path: string }, 'path'), [tool('delete', 'delete-tool')]),
    run({ path: '/x' })],
  'slow': [definition('d-slow', any, [mapping('start', { n: { value: 2000 } }), tool('slow', 'slow-tool'),
    tool('after', 'slow-tool')])],
};

const N1 = mapping('a', { n: { value: 1 } });
const bad = (graph, more) => ({ ...definition('d-bad', N, graph), ...more });
export const invalid = {
  'no body': {},
  'no id': bad([N1], { id: undefined }),
  'no graph': bad(undefined),
  'an empty graph': bad([]),
  'a graph that is an object': bad({}),
  'no input schema': bad([N1], { inputSchema: undefined }),
  'a schema that is a text': bad([N1], { inputSchema: 'x' }),
  'a schema that is none': bad([N1], { inputSchema: { type: 'nonsense' } }),
  'an unknown kind': bad([{ type: 'jump', id: 'a' }]),
  'a tool without id': bad([{ type: 'tool', toolId: 'add-tool' }]),
  'a tool without toolId': bad([{ type: 'tool', id: 'a' }]),
  'a tool that is not there': bad([tool('a', 'none')]),
  'an agent that is not there': bad([{ type: 'agent', id: 'a', agentId: 'none' }]),
  'a workflow that is not there': bad([{ type: 'workflow', id: 'a', workflowId: 'none' }]),
  'itself': bad([{ type: 'workflow', id: 'a', workflowId: 'd-bad' }]),
  'retries below zero': bad([tool('a', 'add-tool', { retries: -1 })]),
  'a mapping that is an object': bad([{ type: 'mapping', id: 'a', mapConfig: {} }]),
  'a mapping that is no JSON': bad([{ type: 'mapping', id: 'a', mapConfig: '{bad' }]),
  'a mapping that is a list': bad([{ type: 'mapping', id: 'a', mapConfig: '[]' }]),
  'a mapping of nothing': bad([mapping('a', { n: {} })]),
  'a mapping of a step that is not there': bad([mapping('a', { n: { step: 'none', path: 'x' } })]),
  'a template with a wrong scope': bad([mapping('a', { n: { template: '${other.x}' } })]),
  'a template with spaces': bad([mapping('a', { n: { template: '${ initData.n }' } })]),
  'a template of a step that is not there': bad([mapping('a', { n: { template: '${stepResults.none.x}' } })]),
  'an empty parallel': bad([{ type: 'parallel', steps: [] }]),
  'a parallel of a loop': bad([{ type: 'parallel', steps: [{ type: 'sleep', id: 'a', duration: 1 }] }]),
  'fewer predicates than steps': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')], predicates: [] }]),
  'an unknown operator': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')],
    predicates: [{ op: 'like', left: path('initData.n'), right: literal(1) }] }]),
  'a predicate of an unknown root': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')],
    predicates: [compare('eq', 'other.n', 1)] }]),
  'a predicate of a step that is not there': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')],
    predicates: [compare('eq', 'stepResults.none.n', 1)] }]),
  'an empty set': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')],
    predicates: [{ op: 'in', value: path('initData.n'), set: [] }] }]),
  'an operand of nothing': bad([{ type: 'conditional', steps: [tool('a', 'add-tool')],
    predicates: [{ op: 'eq', left: {}, right: literal(1) }] }]),
  'concurrency zero': bad([{ type: 'foreach', step: tool('a', 'add-tool'), opts: { concurrency: 0 } }]),
  'a foreach of a mapping': bad([{ type: 'foreach', step: N1 }]),
  'a loop of an unknown kind': bad([{ type: 'loop', step: tool('a', 'add-tool'), loopType: 'for',
    predicate: compare('eq', 'initData.n', 1) }]),
  'a loop without predicate': bad([{ type: 'loop', step: tool('a', 'add-tool'), loopType: 'dowhile' }]),
  'a sleep without duration': bad([{ type: 'sleep', id: 'a' }]),
  'a sleep below zero': bad([{ type: 'sleep', id: 'a', duration: -1 }]),
  'a sleepUntil of no date': bad([{ type: 'sleepUntil', id: 'a', date: 'soon' }]),
  'steps that do not fit': bad([tool('a', 'double-tool'), tool('b', 'add-tool')]),
  'an input that does not fit': bad([tool('a', 'add-tool')], { inputSchema: object({ x: string }, 'x') }),
  'an output that does not fit': bad([tool('a', 'add-tool')], { outputSchema: D }),
  'a dependency that is wrong': bad([{ type: 'workflow', id: 'a', workflowId: 'd-dep' }],
    { dependencies: [definition('d-dep', N, [tool('x', 'none')])] }),
  'dependencies in a circle': bad([{ type: 'workflow', id: 'a', workflowId: 'd-dep' }],
    { dependencies: [definition('d-dep', N, [{ type: 'workflow', id: 'b', workflowId: 'd-bad' }])] }),
  'several faults': bad([tool('a', 'none'), { type: 'agent', id: 'b', agentId: 'none' }]),
};
