// What people do in Studio, done in a browser.
import { assert, done, test } from '../client/tap.mjs';
import { close, newPage, open } from './page.mjs';

const { PLAIN, ROOT, USERS, PROXY } = process.env;
const WAIT = { timeout: 15000 };

await open();

const composer = page => page.locator('textarea[data-slot=composer-input]');

async function say(page, text) {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

async function newChat(page, base, agent) {
  await page.goto(`${base}/agents/${agent}/chat/new`);
  await composer(page).waitFor(WAIT);
}

const shows = (page, text) => page.getByText(text).first().waitFor(WAIT);

// --- as "make run" serves it ---

const { page, faults, strangers, asked } = await newPage(PLAIN);
const base = `${PLAIN}/studio`;

await test('agents are listed', async () => {
  await page.goto(base);
  await page.getByRole('link', { name: 'Agents' }).first().click();
  await shows(page, 'Weather Agent');
  await shows(page, 'Plain Agent');
});

await test('an agent answers, and the answer is shown while it comes', async () => {
  await newChat(page, base, 'plain-agent');
  await say(page, 'SLOW one two three four five six');
  await page.getByText(/Echo: SLOW/).waitFor(WAIT);
  const early = await page.getByText(/^Echo: SLOW/).innerText();
  assert.ok(!early.includes('six'), `"${early}" came at once`);
  await page.getByText('Echo: SLOW one two three four five six').waitFor(WAIT);
});

await test('a tool is called, and shown with what it gave', async () => {
  await newChat(page, base, 'weather-agent');
  await say(page, 'How is the weather in Paris?');
  await page.getByText(/Tool result: .*Paris/).first().waitFor(WAIT);
  await page.getByRole('button', { name: 'Weather tool' }).click();
  await page.getByText('"conditions": "sunny"').waitFor(WAIT);
});

let thread;
await test('a tool waits for approval, and is run once it has it', async () => {
  await say(page, 'please delete it');
  await page.getByRole('button', { name: 'Approve' }).click(WAIT);
  await page.getByText(/Tool result: .*deleted/).first().waitFor(WAIT);
  thread = page.url();
});

await test('a tool is not run when that is declined', async () => {
  await newChat(page, base, 'weather-agent');
  await say(page, 'please delete it');
  await page.getByRole('button', { name: 'Decline' }).click(WAIT);
  await page.getByText(/not approved|declined/i).first().waitFor(WAIT);
  assert.equal(await page.getByText(/"deleted": ?true/).count(), 0);
});

await test('a thread is kept, listed and opened again', async () => {
  await page.goto(thread);
  await shows(page, 'How is the weather in Paris?');
  await page.getByText(/Tool result: .*deleted/).first().waitFor(WAIT);
  assert.equal(await page.getByRole('button', { name: 'delete thread' }).count(), 2);
  await page.getByRole('button', { name: 'Weather tool' }).waitFor(WAIT);
});

await test('what is said after that goes into the same thread', async () => {
  await say(page, 'hello again');
  await page.getByText('Echo: hello again').waitFor(WAIT);
  await page.reload();
  await page.getByText('Echo: hello again').waitFor(WAIT);
  await shows(page, 'How is the weather in Paris?');
});

await test('a tool is run from its page', async () => {
  await page.goto(`${base}/tools`);
  await page.getByText('weather-tool').first().click();
  await page.getByRole('button', { name: 'Submit' }).waitFor(WAIT);
  await page.locator('textarea').first().fill('Oslo');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.getByText(/sunny/).first().waitFor(WAIT);
  assert.ok(asked.includes('200 POST /api/tools/weather-tool/execute'));
});

await test('a workflow is run from its page', async () => {
  await page.goto(`${base}/workflows`);
  await shows(page, 'simple-workflow');
  await page.goto(`${base}/workflows/simple-workflow/graph`);
  await page.getByRole('button', { name: 'Run', exact: true }).waitFor(WAIT);
  await page.locator('input[type=number]').first().fill('4');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByText('Success').first().waitFor(WAIT);
});

await test('a workflow that waits is resumed there', async () => {
  await page.goto(`${base}/workflows/suspend-workflow/graph`);
  await page.getByRole('button', { name: 'Run', exact: true }).waitFor(WAIT);
  await page.locator('textarea').first().fill('to see whether it waits');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor(WAIT);
  await page.getByRole('checkbox').first().click();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('Success').first().waitFor(WAIT);
});

await test('no fault has been told up to here', () => assert.deepEqual(faults, []));

for (const name of ['workflows', 'request-context', 'scorers', 'datasets', 'experiments', 'mcps',
  'processors', 'prompts', 'workspaces', 'settings', 'resources', 'evaluation', 'inbox', 'logs',
  'metrics', 'traces', 'integrations']) {
  await test(`the page ${name} is shown`, async () => {
    faults.length = 0;
    await page.goto(`${base}/${name}`);
    await page.getByText('Mastra Studio').first().waitFor(WAIT);
    await page.waitForTimeout(1000);
    assert.equal(await page.getByText(/something went wrong|unexpected error/i).count(), 0);
    assert.deepEqual(faults, []);
  });
}

await test('nobody else was asked for anything but pictures of models', () => {
  assert.deepEqual([...strangers].filter(host => host !== 'models.dev'), []);
});

// --- elsewhere ---

await test('at the root of a host', async () => {
  const { page, faults } = await newPage(ROOT);
  await page.goto(ROOT);
  await page.getByRole('link', { name: 'Agents' }).first().click();
  await shows(page, 'Weather Agent');
  await newChat(page, ROOT, 'plain-agent');
  await say(page, 'at the root');
  await page.getByText('Echo: at the root').waitFor(WAIT);
  assert.deepEqual(faults, []);
});

await test('behind a proxy that has put a path before it', async () => {
  const { page, faults, asked } = await newPage(PROXY);
  await page.goto(`${PROXY}/ai/studio/agents`);
  await shows(page, 'Weather Agent');
  await newChat(page, `${PROXY}/ai/studio`, 'plain-agent');
  await say(page, 'through the proxy');
  await page.getByText('Echo: through the proxy').waitFor(WAIT);
  assert.deepEqual(faults, []);
  assert.deepEqual(asked.filter(line => !/ \/(?:ai\/.*)?$/.test(line)), []);
});

await test('with a token, where one is needed', async () => {
  const { page } = await newPage(USERS);
  await page.goto(`${USERS}/studio/agents`);
  await page.waitForTimeout(2000);
  assert.equal(await page.getByText('Weather Agent').count(), 0, 'shown to nobody');
  const known = await newPage(USERS, { headers: { Authorization: 'Bearer let-me-in-to-studio' } });
  await known.page.goto(`${USERS}/studio/agents`);
  await shows(known.page, 'Weather Agent');
  assert.deepEqual(known.faults, []);
});

await test('with a token in its address, which it keeps to itself', async () => {
  const { page, faults } = await newPage(USERS);
  await page.goto(`${USERS}/studio/agents?auth_header=${encodeURIComponent('Bearer let-me-in-to-studio')}`);
  await shows(page, 'Weather Agent');
  assert.ok(!page.url().includes('auth_header'), page.url());
  await page.getByText('Plain Agent').first().click();
  await composer(page).waitFor(WAIT);
  await say(page, 'with a token');
  await page.getByText('Echo: with a token').waitFor(WAIT);
  assert.deepEqual(faults, []);
});

await close();
done();
