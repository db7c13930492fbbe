// Swagger UI in a browser: it shows the document of the host that serves it.
import { assert, done, test } from '../client/tap.mjs';
import { close, newPage, open } from './page.mjs';

const { PLAIN, PROXY } = process.env;
const WAIT = { timeout: 15000 };

await open();

for (const [name, origin, paths] of [
  ['of a host', PLAIN, ['/swagger-ui', '/swagger', '/swagger-ui/', '/swagger-ui/index.html']],
  ['behind a proxy', PROXY, ['/ai/swagger-ui', '/ai/swagger/']]]) {
  for (const path of paths) {
    await test(`${path} ${name} shows its routes`, async () => {
      const { page, faults, strangers } = await newPage(origin);
      await page.goto(origin + path);
      await page.getByText('List all agents').waitFor(WAIT);
      // it draws what is in view
      const last = page.getByText('Discover trace query fields');
      for (let i = 0; i < 60 && !await last.count(); i++) {
        await page.mouse.wheel(0, 400);
        await page.waitForTimeout(100);
      }
      await last.waitFor(WAIT);
      assert.deepEqual(faults, []);
      assert.deepEqual([...strangers], []);
    });
  }
}

await test('a request is tried out', async () => {
  const { page, faults } = await newPage(PLAIN);
  await page.goto(`${PLAIN}/swagger-ui`);
  await page.getByText('List all agents').click(WAIT);
  await page.getByRole('button', { name: 'Try it out' }).click();
  await page.getByRole('button', { name: 'Execute', exact: true }).click();
  await page.getByText(/"weather-agent"/).first().waitFor(WAIT);
  assert.deepEqual(faults, []);
});

await close();
done();
