// When schedules fire next: fields of cron expressions, time zones, the changes of summer time. The
// present time is the servers' own: what is compared is the time that comes next.
import { call, get, patch, post, remove } from '../kit.mjs';
import { definition } from './definitions.mjs';

const schedules = '/api/schedules';
await post('/api/stored/workflows', definition('t-flow', { type: 'object' }, [{ type: 'sleep', id: 'a', duration: 1 }]));

const crons = ['0 0 1 1 *', '30 2 29 3 *', '30 2 25 10 *', '0 0 29 2 *', '0 12 * * 0', '0 12 * * 7', '0 12 * * SUN', '15 10 1-7 * MON', '0 0 13 * 5', '5 4 31 * *',
  '*/7 * 1 6 *', '0 */5 1 1 *', '10-50/20 3 2 2 *', '0 0 L * *', '0 0 L 2 *', '0 0 1 JAN-MAR,DEC *', '0 9 * * 1-5', '0 9 * * MON#2', '0 9 * * 5L', '0 0 1 1 ?', '0 30 9 1 7 *',
  '@yearly', '@monthly', '@weekly', '@daily', '@hourly', '@reboot', '0 0 31 2 *', '60 0 * * *', '0 24 * * *', '0 0 0 * *', '0 0 * 13 *', '* * * *', '', '   ',
  '0 0 1,15 * *', '5-1 0 1 1 *', '*/0 * * * *', '1/10 0 1 1 *', '0 0 W * *', '0 0 15W * *', 'a b c d e', '0 0 * * 8', '-5 0 * * *', '0 0 1 jan *', '0 0 * * sun-tue', '0  0  1  1  *', ' 0 0 1 1 * '];
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'America/Sao_Paulo', 'Etc/GMT+12', 'GMT',
  'EST5EDT', '+02:00', '-0330', '+5', '+25:00', 'local', '', 'Europe/Atlantis', 'europe/berlin'];
// what a schedule of one that is far away fires at
const next = answer => {
  const timeless = text => text?.replace(/ after .*/, '');
  const { id, nextFireAt, cron, timezone, status, error, issues } = answer.body ?? {};
  return [answer.status, id, cron, timezone, status, timeless(error), issues, nextFireAt && new Date(nextFireAt).toISOString()];
};
let n = 0;
async function probe(cron, timezone) {
  const id = `t-${n++}`;
  const made = await post(schedules, { id, workflowId: 't-flow', inputData: {}, cron, ...(timezone !== undefined && { timezone }) });
  const result = next(made);
  if (made.status < 300) await remove(`${schedules}/schedule_${id}`);
  return result;
}
// a minute that passes between the two questions changes what is near
for (const cron of crons) await call(`cron "${cron}"`, () => probe(cron, 'UTC'));
for (const zone of zones) {
  await call(`zone "${zone}": new year`, () => probe('0 0 1 1 *', zone));
  await call(`zone "${zone}": spring`, () => probe('30 2 * 3 0', zone));
  await call(`zone "${zone}": autumn`, () => probe('30 1 25-31 10 0', zone));
}
await call('a zone that is a number', () => probe('0 0 1 1 *', 5));
await call('changed to another zone', async () => {
  await post(schedules, { id: 't-c', workflowId: 't-flow', cron: '0 0 1 1 *', timezone: 'UTC' });
  const all = [next(await patch(`${schedules}/schedule_t-c`, { timezone: 'America/New_York' })), next(await patch(`${schedules}/schedule_t-c`, { cron: '0 6 1 7 *' })),
    next(await patch(`${schedules}/schedule_t-c`, { timezone: null })), next(await post(`${schedules}/schedule_t-c/pause`, {})), next(await get(`${schedules}/schedule_t-c`)),
    next(await post(`${schedules}/schedule_t-c/resume`, {}))];
  await remove(`${schedules}/schedule_t-c`);
  return all;
});

// --- work in the background: what may be asked for
for (const query of ['?status=running,failed', '?status=pending&status=running', '?orderBy=x', '?orderDirection=up', '?orderBy=completedAt&orderDirection=desc', '?fromDate=2026-01-01&toDate=2026-01-02',
  '?page=0', '?perPage=0', '?perPage=2&page=3', '?toolName=x&runId=y&threadId=z&resourceId=r', '?toolCallId=c', '?dateFilterBy=startedAt&fromDate=2026-01-01', '?agentId=', '?unknown=1', '?page=x', '?perPage=1.5']) {
  await call(`tasks ${query}`, () => get(`/api/background-tasks${query}`));
}
