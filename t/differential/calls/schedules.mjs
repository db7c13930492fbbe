// Schedules, and work in the background.
import { call, client, get, patch, post, remove, sleep } from '../kit.mjs';
import { flows } from './definitions.mjs';

const schedules = '/api/schedules';
await post('/api/stored/workflows', flows.simple[0]);

await call('schedules: none', () => get(schedules));
await call('schedules: for a workflow', () => client.createSchedule({ id: 'one', workflowId: 'd-simple', inputData: { n: 1 },
  cron: '0 0 * * *', timezone: 'UTC', metadata: { a: 1 } }));
await call('schedules: again', () => post(schedules, { id: 'one', workflowId: 'd-simple', cron: '0 0 * * *' }));
await call('schedules: for an agent', () => post(schedules, { id: 'two', agentId: 'plain-agent', prompt: 'ping', cron: '30 9 * * 1-5' }));
await call('schedules: for a thread', () => post(schedules, { id: 'three', agentId: 'weather-agent', prompt: 'ping',
  cron: '*/5 * * * *', threadId: 'sch-t', resourceId: 'ann', name: 'Named' }));
await call('schedules: with state', () => post(schedules, { id: 'four', workflowId: 'd-simple', inputData: { n: 1 },
  initialState: { s: 1 }, requestContext: { r: 1 }, cron: '@hourly' }));
for (const [name, body] of Object.entries({
  nothing: {}, 'no cron': { workflowId: 'd-simple' }, 'a bad cron': { workflowId: 'd-simple', cron: 'zzz' },
  'a cron out of range': { workflowId: 'd-simple', cron: '99 0 * * *' },
  'a bad zone': { workflowId: 'd-simple', cron: '0 0 * * *', timezone: 'Nowhere/Town' },
  'an unknown workflow': { workflowId: 'none', cron: '0 0 * * *' }, 'an unknown agent': { agentId: 'none', prompt: 'x', cron: '0 0 * * *' },
  'an agent without prompt': { agentId: 'plain-agent', cron: '0 0 * * *' },
  both: { workflowId: 'd-simple', agentId: 'plain-agent', prompt: 'x', cron: '0 0 * * *' },
  'a wrong type': { workflowId: 5, cron: '0 0 * * *' }, 'a wrong metadata': { workflowId: 'd-simple', cron: '0 0 * * *', metadata: 5 },
  'a thread without resource': { agentId: 'plain-agent', prompt: 'x', cron: '0 0 * * *', threadId: 't' },
})) {
  await call(`schedules: ${name}`, () => post(schedules, body));
}
await call('schedules: one', () => client.getSchedule('schedule_one'));
await call('schedules: by its own id', () => get(`${schedules}/one`));
await call('schedules: unknown', () => get(`${schedules}/none`));
for (const query of ['?workflowId=d-simple', '?agentId=plain-agent', '?status=active', '?status=paused', '?status=x', '?ownerId=x', '?limit=1']) {
  await call(`schedules ${query}`, async () => {
    const answer = await get(schedules + query);
    answer.body.schedules = answer.body.schedules?.filter(({ id }) => /_(one|two|three|four)$/.test(id))
      .sort((a, b) => a.id.localeCompare(b.id));
    return answer;
  });
}
await call('schedules: changed', () => client.updateSchedule('schedule_one', { cron: '5 0 * * *', inputData: { n: 5 } }));
await call('schedules: changed zone', () => patch(`${schedules}/schedule_one`, { timezone: 'Europe/Berlin', metadata: { b: 2 } }));
await call('schedules: changed to nothing', () => patch(`${schedules}/schedule_one`, {}));
await call('schedules: changed badly', () => patch(`${schedules}/schedule_one`, { cron: 'zzz' }));
await call('schedules: changed wrongly', () => patch(`${schedules}/schedule_one`, { cron: 5 }));
await call('schedules: changed, unknown', () => patch(`${schedules}/none`, { cron: '5 0 * * *' }));
await call('schedules: paused', () => client.pauseSchedule('schedule_one'));
await call('schedules: paused again', () => client.pauseSchedule('schedule_one'));
await call('schedules: resumed', () => client.resumeSchedule('schedule_one'));
await call('schedules: paused, unknown', () => post(`${schedules}/none/pause`, {}));
await call('schedules: resumed, unknown', () => post(`${schedules}/none/resume`, {}));
await call('schedules: run', async () => {
  const { claimId, scheduledFireAt, ...rest } = await client.runSchedule('schedule_one');
  return [rest, typeof scheduledFireAt, claimId.replace(/\d+$/, 'N')];
});
await call('schedules: run, unknown', () => post(`${schedules}/none/run`, {}));
await call('schedules: triggers', async () => {
  await sleep(1500);
  const { triggers } = await client.listScheduleTriggers('schedule_one', { limit: 5 });
  return triggers.map(({ runId, scheduledFireAt, actualFireAt, run, ...rest }) =>
    [rest, runId.replace(/\d+$/, 'N'), typeof scheduledFireAt, typeof actualFireAt, run?.status, Object.keys(run ?? {}).sort()]);
});
for (const query of ['?limit=0', '?limit=x', '?limit=-1', '?fromFireAt=1&toFireAt=2', '?fromFireAt=x']) {
  await call(`schedules: triggers ${query}`, () => get(`${schedules}/schedule_one/triggers${query}`));
}
await call('schedules: triggers, unknown', () => get(`${schedules}/none/triggers`));
await call('schedules: run of an agent', async () => {
  const { claimId, scheduledFireAt, ...rest } = await client.runSchedule('agent_two');
  return [rest, claimId.replace(/\d+$/, 'N')];
});
await call('schedules: triggers of an agent', async () => {
  await sleep(1500);
  const { triggers } = await client.listScheduleTriggers('agent_two');
  return triggers.map(({ outcome, triggerKind }) => [outcome, triggerKind]);
});
await call('schedules: deleted', () => client.deleteSchedule('schedule_one'));
await call('schedules: deleted again', () => remove(`${schedules}/schedule_one`));

await call('background: list', () => client.listBackgroundTasks());
for (const query of ['?status=completed&agentId=weather-agent&page=0&perPage=5', '?status=x', '?page=-1', '?perPage=x', '?orderBy=createdAt&orderDirection=asc',
  '?fromDate=x', '?dateFilterBy=x']) {
  await call(`background: list ${query}`, () => get(`/api/background-tasks${query}`));
}
await call('background: unknown', () => get('/api/background-tasks/none'));
await call('background: stream', async () => {
  const leave = new AbortController();
  const response = await fetch(`${process.env.MASTRA_URL}/api/background-tasks/stream`, { signal: leave.signal });
  setTimeout(() => leave.abort(), 300);
  return [response.status, response.headers.get('content-type'), response.headers.get('cache-control')];
});
