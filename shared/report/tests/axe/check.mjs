// Opens a rendered report from file:// in Chromium, light, dark, narrow and on paper, and checks it: no axe violation,
// no blocked or failed request, no error, nothing of a person's name run as script; filters, order and addresses that
// work; a summary without JavaScript; a compact table on paper.
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
    await page.evaluate(() => {
      document.querySelectorAll('details').forEach((one) => { one.open = true; });
      document.querySelectorAll('button.open[aria-expanded=false]').forEach((one, nth) => { if (nth < 30) one.click(); });
    });
    await check(page, name, 'open');
    if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
    assert.deepEqual(troubles, [], `${name}: troubles`);
    await context.close();
  }
  await filters();
  await goingBack();
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
  const { violations, incomplete } = await page.evaluate((values) => axe.run({ runOnly: { type: 'tag', values } }), tags);
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 5).map((n) => n.html.slice(0, 200)).join('\n  ')}`);
  assert.equal(violations.length, 0, `${look}, ${state}:\n${told.join('\n')}`);
  const unsure = incomplete.filter(({ id }) => id === 'color-contrast').flatMap(({ nodes }) => nodes);
  if (unsure.length) process.stderr.write(`${look}, ${state}: contrast of ${unsure.length} elements could not be computed, e.g. ${unsure[0].html.slice(0, 120)}\n`);
  checks += 1;
}

/// What the page's script draws from.
function rowsOf(page) {
  return page.evaluate(() => {
    const { texts, lists } = JSON.parse(document.getElementById('data').textContent);
    return Object.entries(lists).flatMap(([list, rows]) => rows.map((row) => ({
      list, name: texts[row[1]], action: texts[row[5]], status: texts[row[6]], reasons: row[8].map(([code]) => texts[code]),
    })));
  });
}

async function filters() {
  const context = await browser.newContext();
  const { page, troubles } = await open(context);
  const rows = await rowsOf(page);
  const said = (count) => page.waitForFunction((text) => document.getElementById('count').textContent.startsWith(text), count);
  const fields = [
    ['#fl', 'list', (row, value) => row.list === value],
    ['#fa', 'action', (row, value) => row.action === value],
    ['#fo', 'status', (row, value) => row.status === value],
    ['#fr', 'reason', (row, value) => row.reasons.includes(value)],
  ];
  for (const [field, name, matches] of fields) {
    const values = await page.locator(`${field} option`).evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
    assert(values.length > 0, `${field} has options`);
    for (const value of values) {
      await page.selectOption(field, value);
      const wanted = rows.filter((row) => matches(row, value));
      await said(`${wanted.length.toLocaleString('en')} of`);
      if (wanted.length > 0) {
        // One of them is drawn, and nobody else is.
        await page.waitForFunction(() => document.querySelector('tr.person'));
        const names = new Set(wanted.map((row) => row.name));
        const drawn = await page.locator('tr.person > th > bdi').allTextContents();
        assert.deepEqual(drawn.filter((one) => !names.has(one)), [], `${field} = ${value}`);
      }
      assert(page.url().includes(`#?${name}=${value}`), `${page.url()} keeps ${name}=${value}`);
    }
    await page.locator('button[type=reset]').click();
    await page.waitForFunction(() => document.getElementById('count').textContent === '');
    assert(!page.url().includes('#?'), 'nothing is left of the filter');
  }
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'q', '/ goes to the search');
  await page.keyboard.type('no person is called this');
  await said('0 of');
  assert.equal(await page.locator('tr.person').count(), 0);
  await page.locator('button[type=reset]').click();

  // A card filters, the address keeps it, and a second click takes it away.
  const card = page.locator('.card[data-list=changes]');
  await card.click();
  const changes = rows.filter((row) => row.list === 'changes');
  await said(`${changes.length.toLocaleString('en')} of`);
  const again = await context.newPage();
  await again.goto(page.url());
  assert.equal(await again.locator('#fl').inputValue(), 'changes');
  await again.waitForFunction((text) => document.getElementById('count').textContent.startsWith(text), `${changes.length.toLocaleString('en')} of`);
  await again.close();
  if (changes.length > 1) {
    const first = () => page.locator('#changes tr.person > th > bdi').first().textContent();
    await page.waitForFunction(() => document.querySelector('#changes tr.person'));
    const forwards = await first();
    await page.selectOption('#fs', '-name');
    await page.waitForFunction(() => document.querySelector('#changes tr.person'));
    const names = new Set(changes.map((row) => row.name));
    if (names.size > 1 && (await page.locator('#changes .group:not([hidden])').count()) === 1) assert.notEqual(await first(), forwards);
    await page.selectOption('#fs', 'name');
  }
  await card.click();
  await page.waitForFunction(() => document.getElementById('count').textContent === '');
  assert.deepEqual(troubles, []);
  await context.close();
}

/// Each filter is an entry of the history, a search is one whatever its length, and headings count what is shown.
async function goingBack() {
  const context = await browser.newContext();
  const { page, troubles } = await open(context);
  const start = page.url();
  const rows = await rowsOf(page);
  const at = (state) => page.waitForFunction((wanted) => document.getElementById('fl').value === wanted.list && document.getElementById('q').value === wanted.q, state);
  const heading = (list) => page.locator(`#${list} h2 .n`).textContent();
  const all = await heading('changes');
  const openLists = () => page.locator('details.list[open]').count();
  const before = await openLists();
  await page.locator('.card[data-list=changes]').click();
  await at({ list: 'changes', q: '' });
  const changes = rows.filter((row) => row.list === 'changes');
  assert.equal(await heading('changes'), `${changes.length.toLocaleString('en')} of ${all}`);
  await page.locator('#q').pressSequentially('no person is called this', { delay: 60 });
  // A list without anybody shows none before the search, too: the address says when it is done.
  await page.waitForFunction(() => decodeURIComponent(location.hash.replaceAll('+', ' ')).includes('no person is called this'));
  await page.waitForFunction(() => document.getElementById('count').textContent.startsWith('0 of'));
  assert.equal(await heading('changes'), `0 of ${all}`);
  await page.goBack();
  await at({ list: 'changes', q: '' });
  assert.equal(await heading('changes'), `${changes.length.toLocaleString('en')} of ${all}`, 'back undoes the search as a whole');
  await page.goBack();
  await at({ list: '', q: '' });
  assert.equal(page.url(), start, 'back undoes the card, and stays in the report');
  assert.equal(await heading('changes'), all);
  await page.goForward();
  await at({ list: 'changes', q: '' });
  await page.goBack();
  await page.selectOption('#fl', 'rest');
  await at({ list: 'rest', q: '' });
  await page.locator('button[type=reset]').click();
  await page.waitForFunction(() => document.getElementById('count').textContent === '');
  assert.equal(await openLists(), before, 'a list that a filter opened is closed with it');
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
  for (const id of ['q', 'fl', 'fa', 'fo', 'fr', 'fs', 'summary']) assert(seen.has(id), `${id} is reached by Tab`);
  const details = page.locator('button.open').first();
  if (await details.count()) {
    await details.focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('tr.more dl').first().isVisible(), true, 'details open by keyboard');
  }
  await context.close();
}

async function withoutScript() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const { page, troubles } = await open(context);
  assert.equal(await page.locator('#filter').isVisible(), false, 'filters that cannot work are not shown');
  assert.equal(await page.locator('noscript').isVisible(), true, 'where the people are is said');
  assert.equal(await page.locator('.cards').isVisible(), true);
  const reasons = page.locator('#reasons');
  if (await reasons.count()) {
    await reasons.locator('summary').click();
    assert.equal(await reasons.locator('article').first().isVisible(), true, 'reasons open without script');
  }
  assert.deepEqual(troubles, []);
  await context.close();
}

async function onPaper() {
  const context = await browser.newContext();
  const { page } = await open(context);
  const rows = (await rowsOf(page)).filter(({ list }) => ['needs', 'waiting', 'changes'].includes(list));
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('#filter').isVisible(), false);
  assert.equal(await page.locator('.lists').isVisible(), false);
  assert.equal(await page.locator('#paper tbody tr').count(), Math.min(rows.length, 2000), 'everybody of the first lists, a line each');
  for (const width of [1280, 800, 500]) {
    await page.setViewportSize({ width, height: 900 });
    const narrow = await page.locator('#paper thead tr').evaluateAll((heads) => heads.flatMap((head) => [...head.children]
      .filter((cell) => cell.offsetWidth < head.offsetWidth / 10).map((cell) => `${cell.textContent} ${cell.offsetWidth}`)));
    assert.deepEqual(narrow, [], `paper of ${width} pixels: every column has a tenth of the width at least`);
  }
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  assert.equal(await page.locator('#paper tbody tr').count(), 0);
  if (shots) await page.pdf({ path: `${shots}/paper.pdf`, format: 'A4', margin: { top: '12mm', bottom: '12mm', left: '12mm', right: '12mm' } });
  await context.close();
}
