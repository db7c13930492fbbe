// Workflows: definitions, each kind of step, and what becomes of runs.
import { call, client, get, post, raw, records, remove, sleep } from '../kit.mjs';
import { definition, flows, invalid } from './definitions.mjs';
import { at, ofRun, settled, until } from './runs.mjs';

const stored = '/api/stored/workflows';
const flow = id => client.getWorkflow(id);
const run = async (id, runId, more) => flow(id).createRun({ runId, ...more });

// --- definitions
await call('no stored workflows', () => get(stored));
await call('stored: none', () => get(`${stored}/none`));
for (const [name, body] of Object.entries(invalid)) {
  await call(`invalid: ${name}`, () => post(stored, body));
}
await remove(`${stored}/d-bad`);
await call('invalid: nothing stored', () => get(stored));

// --- each kind of step: stored, described, run, streamed, read
for (const [name, [body, ...inputs]] of Object.entries(flows)) {
  await call(`flow ${name}: stored`, () => post(stored, body));
  await call(`flow ${name}: described`, () => flow(body.id).details());
  for (const [i, input] of inputs.entries()) {
    const id = `${body.id}-run-${i}`;
    await call(`flow ${name}: started ${i}`, () => post(at(body.id, 'start-async', id), input));
    await call(`flow ${name}: read ${i}`, () => get(ofRun(body.id, id)));
    if (body.id !== 'd-retries') {
      await call(`flow ${name}: streamed ${i}`, async () => {
        const answer = await post(at(body.id, 'stream', `${id}-s`), input);
        return /^(parallel|predicates)/.test(name) ? settled(answer) : answer;
      });
    }
  }
}
const sorted = ({ workflows, total }) => [total, workflows.sort((a, b) => a.id.localeCompare(b.id))];
await call('stored: list', async () => sorted(await client.listDynamicWorkflows()));
await call('stored: newest first', async () => (await get(stored)).body.workflows[0].id);
await call('stored: active', async () => sorted((await get(`${stored}?status=active`)).body));
await call('stored: archived', () => get(`${stored}?status=archived`));
await call('stored: wrong status', () => get(`${stored}?status=x`));
await call('stored: of an author', () => get(`${stored}?authorId=ann`));
await call('stored: one', () => client.getDynamicWorkflow('d-loop-flow').details());
await call('stored: its dependency', () => get(`${stored}/d-loop-inner`));
await call('stored: again', () => post(stored, { ...flows.simple[0], description: 'Changed', metadata: { a: 1 } }));
await call('stored: changed', () => get(`${stored}/d-simple`));
await call('stored: in use, deleted', async () => {
  await post(stored, definition('d-gone', { type: 'object' }, [{ type: 'sleep', id: 'a', duration: 1 }]));
  return [await remove(`${stored}/d-gone`), await get(`${stored}/d-gone`), await get('/api/workflows/d-gone'),
    await remove(`${stored}/d-gone`)];
});

// --- lists
await call('workflows', () => client.listWorkflows());
await call('workflows in short', () => client.listWorkflows(undefined, true));
await call('workflow schema', () => flow('d-simple').getSchema());
await call('workflow that is not there', () => flow('none').details());
await call('create a run of none', () => run('none', 'x'));
await call('run counts', async () => {
  const counts = await client.listWorkflowRunCounts();
  return Object.keys(counts).sort();
});

// --- a run, step by step
await call('run: created', () => post(at('d-simple', 'create-run', 'r-1'), { resourceId: 'ann' }));
await call('run: pending', () => flow('d-simple').runById('r-1'));
await call('run: created again', () => post(at('d-simple', 'create-run', 'r-1'), {}));
await call('run: created without id', () => post(at('d-simple', 'create-run'), {}));
await call('run: created badly', () => post(at('d-simple', 'create-run'), { resourceId: 5 }));
await call('run: started', async () => (await run('d-simple', 'r-2')).start({ inputData: { n: 1 } }));
await call('run: over', () => until('d-simple', 'r-2', 'success'));
await call('run: started without id', () => post(at('d-simple', 'start'), {}));
await call('run: started unknown', () => post(at('d-simple', 'start', 'none'), { inputData: { n: 1 } }));
await call('run: started with bad input', async () => {
  await run('d-simple', 'r-3');
  return post(at('d-simple', 'start', 'r-3'), { inputData: { n: 'x' } });
});
await call('run: started badly', () => post(at('d-simple', 'start', 'r-3'), { requestContext: 5, perStep: 'x' }));
await call('run: started async without id', async () => (await run('d-simple')).startAsync({ inputData: { n: 1 } }));
await call('run: stream of client-js', async () => records((await run('d-simple', 'r-4')).stream({ inputData: { n: 1 } })));
await call('run: streamed without id', () => post(at('d-simple', 'stream'), {}));
await call('run: observed', async () => records((await run('d-simple', 'r-4')).observe(), 5000));
await call('run: observed from 3', async () => records((await run('d-simple', 'r-4')).observe({ offset: 3 }), 5000));
await call('run: observed badly', () => post(`${at('d-simple', 'observe', 'r-4')}&offset=x`));
await call('run: observed unknown', () => post(at('d-simple', 'observe', 'none')));
await call('run: observed without id', () => post(at('d-simple', 'observe')));
await call('run: legacy stream', () => post(at('d-simple', 'stream-legacy', 'r-5'), { inputData: { n: 1 } }));
await call('run: perStep', () => post(at('d-simple', 'start-async', 'r-6'), { inputData: { n: 1 }, perStep: true }));
await call('run: perStep read', () => get(ofRun('d-simple', 'r-6')));
await call('run: with a resource', () => post(at('d-simple', 'start-async', 'r-7'),
  { inputData: { n: 1 }, resourceId: 'bob', requestContext: { a: { b: 1 } } }));
await call('run: with tracing', () => post(at('d-simple', 'start-async', 'r-8'),
  { inputData: { n: 1 }, tracingOptions: { metadata: { a: 1 }, traceId: '0123456789abcdef0123456789abcdef' } }));

// --- reading
for (const query of ['', '?fields=result', '?fields=steps,payload', '?fields=serializedStepGraph,activeStepsPath',
  '?fields=error', '?fields=status', '?fields=none', '?fields=', '?withNestedWorkflows=false', '?withNestedWorkflows=x']) {
  await call(`read: ${query}`, () => get(ofRun('d-nested', 'd-nested-run-0', query)));
}
await call('read: unknown', () => get(ofRun('d-simple', 'none')));
await call('read: of another workflow', () => get(ofRun('d-ask', 'r-2')));
await call('read: client-js', () => flow('d-nested').runById('d-nested-run-0', { fields: ['result', 'steps'], withNestedWorkflows: false }));
for (const query of ['?resourceId=bob', '?resourceId=nobody', '?status=pending&resourceId=ann', '?status=suspended', '?status=x',
  '?resourceId=bob&page=0&perPage=1', '?resourceId=bob&page=1&perPage=1', '?resourceId=bob&limit=1&offset=0',
  '?resourceId=bob&limit=1&offset=1', '?page=-1', '?perPage=x', '?perPage=0', '?limit=-1', '?limit=0', '?page=1&resourceId=bob', '?resourceId=bob&fromDate=2020-01-01T00:00:00Z',
  '?fromDate=2090-01-01T00:00:00Z', '?toDate=2020-01-01T00:00:00Z', '?fromDate=x']) {
  await call(`runs ${query}`, () => get(`/api/workflows/d-simple/runs${query}`));
}
await call('runs: all', async () => {
  const { runs } = await flow('d-simple').runs();
  const own = runs.filter(({ runId }) => runId.startsWith('r-'));
  return own.map(({ runId, resourceId, snapshot }) => [runId, resourceId, snapshot.status]);
});
await call('runs: of none', () => get('/api/workflows/none/runs'));

// --- suspended
const why = { inputData: { question: 'why' } };
const asked = async (runId, id = 'd-ask', input = why) => post(at(id, 'start-async', runId), input);
await call('ask: in runs', async () => {
  await asked('a-1');
  return get('/api/workflows/d-ask/runs?status=suspended&page=0&perPage=1');
});
for (const [i, body] of [{ step: 'other', resumeData: { answer: 'x' } },
  { step: ['other', 'deeper'], resumeData: { answer: 'x' } }, { step: 5 }].entries()) {
  await call(`ask: resumed badly ${i}`, () => post(at('d-ask', 'resume-async', 'a-1'), body));
  await call(`ask: resumed badly ${i}, still waiting`, () => get(ofRun('d-ask', 'a-1', '?fields=steps')));
}
for (const [i, body] of [{ step: 'ask', resumeData: { answer: 5 } }, { resumeData: 'x' }, {}, ''].entries()) {
  await call(`ask: answered badly ${i}`, async () => {
    await asked(`a-badly-${i}`);
    return post(at('d-ask', 'resume-async', `a-badly-${i}`), body);
  });
}
await call('ask: resumed without id', () => post(at('d-ask', 'resume-async'), {}));
await call('ask: resumed unknown', () => post(at('d-ask', 'resume-async', 'none'), { resumeData: { answer: 'x' } }));
const answer = { resumeData: { answer: 'because' } };
const ways = {
  'step': { step: 'ask', ...answer }, 'a list': { step: ['ask'], ...answer }, 'no step': answer,
  'context': { ...answer, requestContext: { a: 1 } },
};
for (const [name, body] of Object.entries(ways)) {
  await call(`ask: ${name}: waits`, () => asked(`a-${name}`));
  await call(`ask: ${name}: resume-async`, () => post(at('d-ask', 'resume-async', `a-${name}`), body));
  await call(`ask: ${name}: read`, () => get(ofRun('d-ask', `a-${name}`)));
}
await call('ask: again', () => post(at('d-ask', 'resume-async', 'a-step'), ways.step));
await call('ask: again, streamed', () => post(at('d-ask', 'resume-stream', 'a-step'), ways.step));
for (const what of ['resume', 'resume-no-wait', 'resume-stream']) {
  await call(`ask: ${what}`, async () => {
    await asked(`a-${what}`);
    return post(at('d-ask', what, `a-${what}`), answer);
  });
  await call(`ask: ${what}: over`, () => until('d-ask', `a-${what}`, 'success'));
  await call(`ask: ${what}: unknown`, () => post(at('d-ask', what, 'none'), answer));
  await call(`ask: ${what}: finished`, () => post(at('d-ask', what, `a-${what}`), answer));
  await call(`ask: ${what}: badly`, async () => {
    await asked(`a-bad-${what}`);
    return post(at('d-ask', what, `a-bad-${what}`), { resumeData: { answer: 5 } });
  });
}
await call('ask: client-js', async () => {
  const one = await run('d-ask', 'a-js');
  const first = await one.startAsync(why);
  return [first, await one.resumeAsync({ step: 'ask', ...answer })];
});
await call('ask: client-js stream', async () => {
  const one = await run('d-ask', 'a-js-s');
  const first = await records(one.stream(why));
  return [first, await records(one.resumeStream({ step: 'ask', ...answer })), await records(one.observe(), 5000)];
});
await call('ask: a stream that stays', async () => {
  const one = await run('d-ask', 'a-stay');
  const first = records(one.stream({ ...why, closeOnSuspend: false }), 8000);
  await until('d-ask', 'a-stay', 'suspended');
  await one.resumeAsync(answer);
  return first;
});
await call('ask: finished, read', () => get(ofRun('d-ask', 'a-js')));
await call('ask: nested: resumed by path', async () => {
  await asked('an-1', 'd-ask-nested');
  return [await get(ofRun('d-ask-nested', 'an-1')),
    await post(at('d-ask-nested', 'resume-async', 'an-1'), { step: ['inner', 'ask'], ...answer })];
});
await call('ask: nested: resumed by name', async () => {
  await asked('an-2', 'd-ask-nested');
  return post(at('d-ask-nested', 'resume-async', 'an-2'), { step: 'inner', ...answer });
});
await call('ask: nested: resumed by dotted name', async () => {
  await asked('an-3', 'd-ask-nested');
  return post(at('d-ask-nested', 'resume-async', 'an-3'), { step: 'inner.ask', ...answer });
});
await call('ask: nested: resumed without step', async () => {
  await asked('an-4', 'd-ask-nested');
  return post(at('d-ask-nested', 'resume-stream', 'an-4'), answer);
});
await call('ask: nested: read', () => get(ofRun('d-ask-nested', 'an-4')));
await call('ask: parallel: without step', async () => {
  await asked('ap-1', 'd-ask-parallel');
  return post(at('d-ask-parallel', 'resume-async', 'ap-1'), answer);
});
await call('ask: parallel: one', () => post(at('d-ask-parallel', 'resume-async', 'ap-1'), { step: 'right', ...answer }));
await call('ask: parallel: read', () => get(ofRun('d-ask-parallel', 'ap-1')));
await call('ask: parallel: other', () => post(at('d-ask-parallel', 'resume-stream', 'ap-1'), { step: 'left', ...answer }));
const two = { inputData: [{ question: 'a' }, { question: 'b' }] };
await call('ask: each: first', async () => {
  await asked('ae-1', 'd-ask-each', two);
  return post(at('d-ask-each', 'resume-async', 'ae-1'), { step: 'each', ...answer });
});
await call('ask: each: read', () => get(ofRun('d-ask-each', 'ae-1')));
await call('ask: each: second', () => post(at('d-ask-each', 'resume-stream', 'ae-1'), { step: 'each', ...answer }));
await call('ask: each: by index', async () => {
  await asked('ae-2', 'd-ask-each', two);
  return post(at('d-ask-each', 'resume-async', 'ae-2'), { step: 'each', forEachIndex: 0, ...answer });
});

// --- back in time
const back = (id, runId, body, what = 'time-travel-async') => post(at(id, what, runId), body);
await call('travel: to the second', async () => {
  await post(at('d-simple', 'start-async', 't-1'), { inputData: { n: 3 } });
  return back('d-simple', 't-1', { step: 'double' });
});
await call('travel: read', () => get(ofRun('d-simple', 't-1')));
await call('travel: with input', () => back('d-simple', 't-1', { step: 'double', inputData: { n: 10 } }));
await call('travel: to the first', () => back('d-simple', 't-1', { step: 'add', inputData: { n: 7 } }));
await call('travel: a list', () => back('d-simple', 't-1', { step: ['double'] }));
await call('travel: context', () => back('d-simple', 't-1', { step: 'double', context: {
  add: { status: 'success', payload: { n: 5 }, output: { n: 6 }, startedAt: 1, endedAt: 2 } } }));
await call('travel: perStep', () => back('d-simple', 't-1', { step: 'add', inputData: { n: 1 }, perStep: true }));
await call('travel: streamed', () => back('d-simple', 't-1', { step: 'add', inputData: { n: 1 } }, 'time-travel-stream'));
await call('travel: not waited for', () => back('d-simple', 't-1', { step: 'add' }, 'time-travel'));
await call('travel: over', () => until('d-simple', 't-1', 'success'));
await call('travel: to nowhere', () => back('d-simple', 't-1', { step: 'none' }));
await call('travel: streamed to nowhere', () => back('d-simple', 't-1', { step: 'none' }, 'time-travel-stream'));
await call('travel: without step', () => back('d-simple', 't-1', {}));
await call('travel: unknown', () => back('d-simple', 'none', { step: 'add' }));
await call('travel: without id', () => back('d-simple', '', { step: 'add' }));
await call('travel: bad input', () => back('d-simple', 't-1', { step: 'double', inputData: { n: 'x' } }));
await call('travel: of a failed run', async () => {
  await post(at('d-fails', 'start-async', 't-2'), { inputData: {} });
  return back('d-fails', 't-2', { step: 'after', inputData: { value: 'y' } });
});
await call('travel: to a step that waits', async () => {
  await asked('t-3');
  return back('d-ask', 't-3', { step: 'ask', resumeData: { answer: 'x' } });
});
await call('travel: nested', async () => {
  await post(at('d-nested', 'start-async', 't-4'), { inputData: { n: 3 } });
  return back('d-nested', 't-4', { step: ['inner', 'double'], inputData: { n: 5 } });
});
await call('travel: nested, dotted', () => back('d-nested', 't-4', { step: 'inner.double', inputData: { n: 5 } }));
await call('travel: client-js', async () => (await run('d-simple', 't-1')).timeTravelAsync({ step: 'double', inputData: { n: 1 } }));

// --- restart, cancel, delete
await call('restart: finished', async () => {
  await post(at('d-simple', 'start-async', 'x-1'), { inputData: { n: 3 } });
  return post(at('d-simple', 'restart', 'x-1'), {});
});
await call('restart: finished, waited for', () => post(at('d-simple', 'restart-async', 'x-1'), {}));
await call('restart: unknown', () => post(at('d-simple', 'restart-async', 'none'), {}));
await call('restart: without id', () => post(at('d-simple', 'restart-async'), {}));
await call('restart: pending', async () => {
  await run('d-simple', 'x-2');
  return post(at('d-simple', 'restart-async', 'x-2'), {});
});
await call('restart: suspended', async () => {
  await asked('x-3');
  return post(at('d-ask', 'restart-async', 'x-3'), {});
});
for (const what of ['restart-all-active-workflow-runs', 'restart-all-active-workflow-runs-async']) {
  await call(what, () => post(at('d-simple', what), {}));
  await call(`${what} of none`, () => post(at('none', what), {}));
}
await call('cancel: suspended', async () => {
  await asked('x-4');
  return post(ofRun('d-ask', 'x-4', '/cancel'), {});
});
await call('cancel: read', () => get(ofRun('d-ask', 'x-4')));
await call('cancel: resumed', () => post(at('d-ask', 'resume-async', 'x-4'), answer));
await call('cancel: again', () => post(ofRun('d-ask', 'x-4', '/cancel'), {}));
await call('cancel: finished', () => post(ofRun('d-simple', 'x-1', '/cancel'), {}));
await call('cancel: finished, read', () => get(ofRun('d-simple', 'x-1')));
await call('cancel: unknown', () => post(ofRun('d-simple', 'none', '/cancel'), {}));
await call('cancel: under way', async () => {
  const stream = post(at('d-slow', 'stream', 'x-5'), { inputData: {} });
  await until('d-slow', 'x-5', 'running');
  await sleep(300);
  return [await post(ofRun('d-slow', 'x-5', '/cancel'), {}), await stream];
});
await call('cancel: under way, read', async () => {
  await until('d-slow', 'x-5', 'canceled');
  return get(ofRun('d-slow', 'x-5'));
});
await call('under way: read', async () => {
  await run('d-slow', 'x-6');
  await post(at('d-slow', 'start', 'x-6'), { inputData: {} });
  await until('d-slow', 'x-6', 'running');
  await sleep(500);
  return get(ofRun('d-slow', 'x-6'));
});
await call('under way: resumed', () => post(at('d-slow', 'resume-async', 'x-6'), answer));
await call('under way: deleted', () => remove(ofRun('d-slow', 'x-6')));
await call('delete', () => remove(ofRun('d-simple', 'x-1')));
await call('delete: read', () => get(ofRun('d-simple', 'x-1')));
await call('delete: again', () => remove(ofRun('d-simple', 'x-1')));

// --- single steps, events
const step = body => post(ofRun('d-simple', 's-1', '/steps/execute'), {
  stepId: 'add', executionPath: [0], stepResults: {}, state: {}, requestContext: {}, ...body });
await call('step: executed', async () => {
  await run('d-simple', 's-1');
  return step({ input: { n: 2 } });
});
await call('step: second', () => step({ stepId: 'double', executionPath: [1], input: { n: 2 } }));
await call('step: bad input', () => step({ input: { n: 'x' } }));
await call('step: bad path', () => step({ executionPath: [9] }));
await call('step: empty path', () => step({ executionPath: [] }));
await call('step: no members', () => post(ofRun('d-simple', 's-1', '/steps/execute'), {}));
await call('events: bad', () => post('/api/workflows/events', {}));
await call('events: unknown', () => post('/api/workflows/events', { event: {
  id: '1', type: 'x', data: {}, runId: 'r', createdAt: '2026-01-01T00:00:00Z' } }));
await call('a method that is not', () => raw('GET', at('d-simple', 'start-async')));
