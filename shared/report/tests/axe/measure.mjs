// Measures a rendered report in Chromium: bytes, time until its first rows are there, nodes of the document at the start
// and the most while all of it is scrolled through, and printed pages.
//
//   node measure.mjs REPORT.html                  CHROMIUM=/usr/bin/chromium by default
//   node measure.mjs REPORT.html BYTES NODES      fails when the page has more of either

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const report = resolve(process.argv[2]);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic'] });
try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  const began = performance.now();
  await page.goto(pathToFileURL(report).href);
  await page.waitForFunction(() => document.querySelector('tr.person') || !document.querySelector('.list .group'));
  const opened = performance.now() - began;
  const nodes = () => page.evaluate(() => document.getElementsByTagName('*').length);
  const first = await nodes();
  let most = first;
  await page.evaluate(() => document.querySelectorAll('details.list').forEach((list) => { list.open = true; }));
  for (let at = 0, high = 1; at < high; at += Math.max(800, high / 60)) {
    await page.evaluate((to) => new Promise((done) => { scrollTo(0, to); requestAnimationFrame(() => requestAnimationFrame(done)); }), at);
    most = Math.max(most, await nodes());
    high = await page.evaluate(() => document.documentElement.scrollHeight);
  }
  await page.evaluate(() => document.querySelectorAll('details.list').forEach((list) => { list.open = false; }));
  const pdf = (await page.pdf({ format: 'A4' })).toString('latin1');
  const pages = (pdf.match(/\/Type\s*\/Page\b/g) ?? []).length;
  const [mostBytes, mostNodes] = process.argv.slice(3).map(Number);
  const bytes = statSync(report).size;
  if (bytes > mostBytes || most > mostNodes) process.exitCode = 1;
  process.stdout.write(`${JSON.stringify({ bytes, people: people(), opened_ms: Math.round(opened), nodes: first, most_nodes: most, printed_pages: pages })}\n`);
} finally {
  await browser.close();
}

function people() {
  const data = readFileSync(report, 'utf8').split('<script type="application/json" id="data">')[1].split('</script>')[0];
  return Object.values(JSON.parse(data).lists).reduce((sum, rows) => sum + rows.length, 0);
}
