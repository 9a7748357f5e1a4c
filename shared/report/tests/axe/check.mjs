// Opens a rendered report from file:// in Chromium, light, dark, narrow and on paper, and checks it: no axe violation,
// no blocked or failed request, no error, nothing of a person's name run as script, filters that work, and everything
// there without JavaScript.
//
//   node check.mjs REPORT.html            CHROMIUM=/usr/bin/chromium by default
//   node check.mjs REPORT.html SHOTS      also writes pictures and a PDF into the folder SHOTS

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [report, shots] = process.argv.slice(2);
assert(report, 'usage: node check.mjs REPORT.html [SHOTS]');
const url = pathToFileURL(resolve(report)).href;
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic'] });
let checks = 0;

const looks = [
  { name: 'light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: 'narrow', viewport: { width: 360, height: 740 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 360, height: 740 }, colorScheme: 'dark' },
];

try {
  for (const { name, ...options } of looks) {
    const context = await browser.newContext(options);
    const { page, troubles } = await open(context);
    await check(page, name, 'closed');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name}: too wide`);
    if (await page.locator('#open').isVisible()) {
      await page.locator('#open').click();
      await check(page, name, 'open');
    }
    if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    assert.deepEqual(troubles, [], `${name}: troubles`);
    await context.close();
  }
  await filters();
  await keyboard();
  await withoutScript();
  await onPaper();
} finally {
  await browser.close();
}
process.stdout.write(`${checks} axe runs without a violation; filters, keyboard, no script and paper are fine\n`);

async function open(context) {
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => { if (message.type() === 'error') troubles.push(message.text()); });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('dialog', (dialog) => { troubles.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => { if (request.url() !== url) troubles.push(`request: ${request.url()}`); });
  await page.goto(url);
  return { page, troubles };
}

async function check(page, look, state) {
  // The policy of the page forbids foreign scripts, axe too; the browser's own channel is not bound by it.
  await page.evaluate((await import('node:fs')).readFileSync(axe, 'utf8'));
  // What was never on the screen has no true places yet; everything is laid out before places are judged.
  await page.evaluate(() => document.querySelectorAll('.part').forEach((part) => { part.style.contentVisibility = 'visible'; }));
  const { violations, incomplete } = await page.evaluate((values) => axe.run({ runOnly: { type: 'tag', values } }), tags);
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 5).map((n) => n.html.slice(0, 200)).join('\n  ')}`);
  assert.equal(violations.length, 0, `${look}, ${state}:\n${told.join('\n')}`);
  const unsure = incomplete.filter(({ id }) => id === 'color-contrast').flatMap(({ nodes }) => nodes);
  if (unsure.length) process.stderr.write(`${look}, ${state}: contrast of ${unsure.length} elements could not be computed, e.g. ${unsure[0].html.slice(0, 120)}\n`);
  checks += 1;
}

async function filters() {
  const context = await browser.newContext();
  const { page, troubles } = await open(context);
  const all = await page.locator('tr[data-o]').count();
  const visible = () => page.locator('tr[data-o]:visible').count();
  for (const [field, key] of [['#fa', 'a'], ['#fo', 'o'], ['#fr', 'r']]) {
    const values = await page.locator(`${field} option`).evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
    assert(values.length > 0, `${field} has options`);
    for (const value of values) {
      await page.selectOption(field, value);
      const wanted = await page.locator(`tr[data-${key}~="${value}"]`).count();
      await page.waitForFunction((count) => document.getElementById('count').textContent.startsWith(`${count.toLocaleString('en')} of`), wanted);
      assert.equal(await visible(), wanted, `${field} = ${value}`);
    }
    await page.locator('button[type=reset]').click();
    await page.waitForFunction((count) => document.getElementById('count').textContent.startsWith(`${count.toLocaleString('en')} of`), all);
  }
  await page.fill('#q', 'no person is called this');
  await page.waitForFunction(() => document.getElementById('count').textContent.startsWith('0 of'));
  assert.equal(await visible(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
}

async function keyboard() {
  const context = await browser.newContext();
  const { page } = await open(context);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  const seen = new Set();
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press('Tab');
    seen.add(await page.evaluate(() => {
      const at = document.activeElement;
      const style = getComputedStyle(at);
      return style.outlineStyle === 'none' ? `no visible focus: ${at.outerHTML.slice(0, 80)}` : at.id || at.localName;
    }));
  }
  assert.deepEqual([...seen].filter((name) => name.startsWith('no visible focus')), []);
  for (const id of ['q', 'fa', 'fo', 'fr', 'open', 'summary']) assert(seen.has(id), `${id} is reached by Tab`);
  await context.close();
}

async function withoutScript() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const { page, troubles } = await open(context);
  assert.equal(await page.locator('#filter').isVisible(), false, 'filters that cannot work are not shown');
  assert.equal(await page.locator('tr[data-o]').count(), await page.locator('tr[data-o]:visible').count());
  const details = page.locator('tr[data-o] details').first();
  await details.locator('summary').click();
  assert.equal(await details.locator('dl').isVisible(), true, 'details open without script');
  assert.deepEqual(troubles, []);
  await context.close();
}

async function onPaper() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const { page } = await open(context);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('nav').isVisible(), false);
  assert.equal(await page.locator('tr[data-o] details dl').first().isVisible(), true, 'details are open on paper');
  if (shots) await page.pdf({ path: `${shots}/paper.pdf`, format: 'A4', margin: { top: '12mm', bottom: '12mm', left: '12mm', right: '12mm' } });
  await context.close();
}
