// A page of a real browser that keeps account of what goes wrong in it.
import { chromium } from 'playwright-core';

let browser;

export async function open() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // its sandbox does not work for root
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
}

export const close = () => browser.close();

// What pages of Studio tell that is no fault: a thread is asked for before its first message
// makes it.
const normal = [
  { status: 404, path: /^\/(?:ai\/)?api\/memory\/threads\/[0-9a-f-]{36}(?:\/messages)?$/ },
];

// {page, faults, strangers, asked}: faults are errors on the console and of scripts, strangers
// hosts that were asked for something, asked what was asked of our own.
export async function newPage(origin, { headers } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const faults = [];
  const strangers = new Set();
  const asked = [];
  // pictures of models' makers come from elsewhere, and a test has no network
  await context.route(url => url.origin !== origin, route => {
    strangers.add(new URL(route.request().url()).host);
    return route.fulfill({
      status: 200, contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg"/>',
    });
  });
  if (headers) await context.setExtraHTTPHeaders(headers);
  const page = await context.newPage();
  const expected = [];
  page.on('response', response => {
    const { pathname, origin: from } = new URL(response.url());
    const status = response.status();
    if (from !== origin) return;
    asked.push(`${status} ${response.request().method()} ${pathname}`);
    if (normal.some(one => one.status === status && one.path.test(pathname))) {
      expected.push(response.url());
    }
  });
  page.on('console', message => {
    if (message.type() === 'error' && !expected.includes(message.location().url)) {
      faults.push(`${message.text()} ${message.location().url}`);
    }
  });
  page.on('pageerror', error => faults.push(`script: ${error.message}`));
  return { page, faults, strangers, asked };
}
