// Walks through the pages of the connect function in Chromium, light, dark and narrow: no axe
// violation, no error in the console, nothing too wide, a visible focus; buttons that lead where they say; the time at
// which a link ends in the reader's time zone; no mark of a terminal's text.
//
//   cargo run -p hardmatch-connect --example pages      prints ADDRESS
//   node pages.mjs ADDRESS [SHOTS]                      CHROMIUM=/usr/bin/chromium by default

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [address, shots] = process.argv.slice(2);
assert(address, 'usage: node pages.mjs ADDRESS [SHOTS]');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const looks = [
  { name: 'light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: 'narrow', viewport: { width: 360, height: 740 }, colorScheme: 'light' },
];
// Outcome, and the heading of the page that follows the button.
const outcomes = {
  'done': 'done is connected',
  'more-than-needed': 'more-than-needed is connected',
  'missing': 'Permissions are missing',
  'not-yet': 'Not there yet',
  'no-token': 'Consent was given, but no token was',
  'another-tenant': 'This is another tenant',
  'declined': 'Microsoft did not agree',
  'sign-in': 'sign-in is connected',
};

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic'] });
let checks = 0;
try {
  for (const { name, ...options } of looks) {
    for (const [outcome, heading] of Object.entries(outcomes)) {
      const context = await browser.newContext({ ...options, locale: 'de-DE', timezoneId: 'Asia/Kolkata' });
      const page = await context.newPage();
      const troubles = [];
      page.on('console', (message) => {
        // The status of a page that refuses is no trouble; what the policy of a page blocks is.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) troubles.push(message.text());
      });
      page.on('pageerror', (error) => troubles.push(String(error)));
      await page.goto(`${address}/new/${outcome}`);
      await look(page, `${name}-${outcome}-offer`, `Connect ${outcome} to Microsoft 365`);
      const [shown, here] = await page.locator('time').evaluate((time) => [time.textContent,
        new Date(time.dateTime).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' })]);
      assert(shown === here && !shown.includes('UTC'), `${shown} is the reader's ${here}`);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.localName), 'button');
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
      const onward = page.waitForResponse((response) => response.url().endsWith('/start'));
      await Promise.all([page.waitForURL('**/connect/return?*', { timeout: 30000 }), page.keyboard.press('Enter')]);
      assert.match((await onward).headers()['refresh'], /^0;url=http/);
      await look(page, `${name}-${outcome}`, heading);
      if (outcome === 'not-yet' || outcome === 'missing') {
        await Promise.all([page.waitForURL('**/connect/check/*', { timeout: 30000 }), page.getByRole('button', { name: 'Check again' }).click()]);
        await look(page, `${name}-${outcome}-again`, heading);
      }
      if (outcome === 'done') {
        const back = page.url();
        await page.goto(back);
        await look(page, `${name}-replayed`, 'This answer was used already');
        await page.goto(new URL('/connect', back).href);
        await look(page, `${name}-landing`, 'Connect a tenant');
        await page.goto(new URL('/nowhere', back).href);
        await look(page, `${name}-nowhere`, 'There is no such page');
      }
      assert.deepEqual(troubles, [], `${name}, ${outcome}: troubles`);
      await context.close();
    }
  }
  // Without its script the page says the same in minutes and in UTC.
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const page = await plain.newPage();
  await page.goto(`${address}/new/done`);
  assert.match(await page.locator('dl.facts').innerText(), /1[45] minutes, until \d\d:\d\d UTC/);
  await plain.close();
} finally {
  await browser.close();
}
process.stdout.write(`${checks} axe runs without a violation; buttons lead where they say\n`);

async function look(page, name, heading) {
  assert.equal((await page.locator('h1').innerText()).trim(), heading, name);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name}: too wide`);
  assert(!(await page.locator('body').innerText()).includes('`'), `${name}: a command is shown as code, without backticks`);
  // The policy of the page forbids foreign scripts, axe too; the browser's own channel is not bound by it.
  await page.evaluate(axe);
  const { violations } = await page.evaluate((values) => axe.run({ runOnly: { type: 'tag', values } }), tags);
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 5).map((n) => n.html.slice(0, 200)).join('\n  ')}`);
  assert.equal(violations.length, 0, `${name}:\n${told.join('\n')}`);
  checks += 1;
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}
