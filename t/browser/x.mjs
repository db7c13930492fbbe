import { chromium } from 'playwright-core';
const base = process.env.MASTRA_URL;
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const ctx = await browser.newContext();
const page = await ctx.newPage();
const seen = new Map();
page.on('console', m => { if (m.type() === 'error' || m.type() === 'warning') console.log('CONSOLE', m.type(), m.text().slice(0, 300), m.location().url) });
page.on('pageerror', e => console.log('PAGEERROR', e.message));
page.on('requestfailed', r => console.log('FAILED', r.method(), r.url(), r.failure()?.errorText));
page.on('response', r => { const u = new URL(r.url()); if (!u.pathname.includes('/assets/')) console.log(r.status(), r.request().method(), u.origin === base ? u.pathname + u.search.slice(0,80) : r.url()) });
for (const p of process.argv.slice(2)) {
  console.log('=====', p);
  await page.goto(base + p, { waitUntil: 'load' });
  await page.waitForTimeout(3500);
  console.log('TEXT', (await page.innerText('body')).slice(0, 300).replace(/\n+/g, ' | '));
}
await page.screenshot({ path: '/tmp/w/studio.png' });
await browser.close();
