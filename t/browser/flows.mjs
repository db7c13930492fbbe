// Workflows with their runs and schedules, and an agent that leads others, in Studio. STUDIO names
// another server's Studio, LEAD an agent of it, TASK what makes it have a tool look for the weather.
import { assert, done, test } from '../client/tap.mjs';
import { close, newPage, open } from './page.mjs';

const WAIT = { timeout: 15000 };
const studio = process.env.STUDIO ?? `${process.env.PLAIN}/studio`;
const { origin } = new URL(studio);
const lead = process.env.LEAD ?? 'lead-agent';
const task = process.env.TASK ?? 'ROUTE:weather-tool:tool:{"city":"Paris"}; go';

await open();
const { page, faults, asked } = await newPage(origin);

async function api(method, path, body) {
  const response = await fetch(`${origin}/api${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  return response.json();
}

const shows = text => page.getByText(text).first().waitFor(WAIT);
const run = () => page.getByRole('button', { name: 'Run', exact: true });
const mapping = (id, config) => ({ type: 'mapping', id, mapConfig: JSON.stringify(config) });

async function define(id, graph, properties = { n: { type: 'number' } }) {
  const made = await api('POST', '/stored/workflows', {
    id,
    description: `About ${id}`,
    inputSchema: { type: 'object', properties, required: Object.keys(properties) },
    outputSchema: { type: 'object' },
    graph,
  });
  assert.equal(made.ok, true, JSON.stringify(made));
}

await define('browser-flow', [
  mapping('ask', { prompt: { template: 'n is ${initData.n}' } }),
  { type: 'conditional', steps: [{ type: 'agent', id: 'many', agentId: 'plain-agent' },
    { type: 'agent', id: 'few', agentId: 'plain-agent' }],
  predicates: [{ op: 'gt', left: { path: 'initData.n' }, right: { literal: 10 } },
    { op: 'lte', left: { path: 'initData.n' }, right: { literal: 10 } }] },
]);
await define('browser-fails', [
  mapping('bad', { prompt: { initData: true, path: 'o.deep' } }),
  { type: 'agent', id: 'never', agentId: 'plain-agent' },
], { o: { type: 'object', properties: { deep: { type: 'string' } } } });

await test('a branch is drawn, run, and what it came to is shown', async () => {
  await page.goto(`${studio}/workflows/browser-flow/graph`);
  await run().waitFor(WAIT);
  for (const step of ['ask', 'many', 'few']) await shows(step);
  await page.locator('input[type=number]').first().fill('4');
  await run().click();
  await shows('Success');
});

await test('a run is in the list, and is opened', async () => {
  await api('POST', '/workflows/browser-flow/start-async?runId=browser-run', { inputData: { n: 44 } });
  await page.goto(`${studio}/workflows/browser-flow/graph`);
  await shows('browser-run');
  await page.goto(`${studio}/workflows/browser-flow/graph/browser-run`);
  await shows('Success');
});

await test('a step that fails is shown', async () => {
  await api('POST', '/workflows/browser-fails/start-async?runId=browser-failed', { inputData: { o: {} } });
  await page.goto(`${studio}/workflows/browser-fails/graph/browser-failed`);
  await shows(/Failed/);
});

await test('schedules are listed', async () => {
  await api('POST', '/schedules', { id: 'browser', workflowId: 'browser-flow', inputData: { n: 1 },
    cron: '0 0 * * *', timezone: 'UTC' });
  await page.goto(`${studio}/workflows/schedules`);
  await shows('browser-flow');
  await shows('0 0 * * *');
});

await test('one is opened, paused and resumed', async () => {
  await page.goto(`${studio}/workflows/schedules/schedule_browser`);
  await shows('active');
  await page.getByRole('button', { name: 'Pause' }).click(WAIT);
  await shows('paused');
  assert.equal((await api('GET', '/schedules/schedule_browser')).status, 'paused');
  await page.getByRole('button', { name: 'Resume' }).click(WAIT);
  await page.getByRole('button', { name: 'Pause' }).waitFor(WAIT);
  assert.equal((await api('GET', '/schedules/schedule_browser')).status, 'active');
});

await test('what it has begun is in its history', async () => {
  await api('POST', '/schedules/schedule_browser/run', {});
  await page.goto(`${studio}/workflows/schedules/schedule_browser`);
  await shows(/success/i);
  await api('DELETE', '/schedules/schedule_browser');
});

await test('an agent leads others, and what they did is shown', async () => {
  const composer = page.locator('textarea[data-slot=composer-input]');
  await page.goto(`${studio}/agents/${lead}/chat/new`);
  await composer.waitFor(WAIT);
  await page.getByTestId('composer-model-settings-trigger').click(WAIT);
  await page.getByRole('radio', { name: 'Network' }).click(WAIT);
  await page.keyboard.press('Escape');
  await composer.fill(task);
  await composer.press('Enter');
  await page.getByText('Final network answer').first().waitFor(WAIT);
  assert.ok(asked.includes(`200 POST /api/agents/${lead}/network`));
});

await test('... and is there when the thread is opened again', async () => {
  await page.reload();
  await page.getByText('Final network answer').first().waitFor(WAIT);
  await page.getByText(/weather/i).first().waitFor(WAIT);
});

if (!process.env.STUDIO) {
  await test('no fault has been told', () => assert.deepEqual(faults, []));
}

await close();
done();
