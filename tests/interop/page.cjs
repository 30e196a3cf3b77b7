// Opens the pages that tests/interop/page made, and fails unless they behave. CommonJS, because NODE_PATH finds no modules.
const assert = require("node:assert");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [folder, out] = process.argv.slice(2);

const open = async (browser, report, options = {}) => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const trouble = [];
  page.on("dialog", (dialog) => { trouble.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on("pageerror", (error) => trouble.push(`error ${error.message}`));
  page.on("console", (message) => trouble.push(`console ${message.text()}`));
  const blocked = [];
  page.on("requestfailed", (request) => blocked.push(request.failure().errorText));
  page.on("request", (request) => { if (!request.url().endsWith("report.html")) trouble.push(`request ${request.url()}`); });
  await page.goto("file://" + path.resolve(folder, report, "report.html"));
  return { page, trouble, blocked };
};

const column = (page, name) => page.evaluate((name) => {
  const heads = Array.from(document.querySelectorAll("table.result th"), (head) => head.textContent);
  const at = heads.indexOf(name);
  return Array.from(document.querySelectorAll("table.result tbody tr:not([hidden])"), (row) => row.cells[at].textContent);
}, name);

const sort = (page, name) => page.click(`table.result th button:text-is("${name}")`);

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  let { page, trouble, blocked } = await open(browser, "hostile");
  assert.equal(await page.evaluate(() => document.scripts.length), 1, "a script got in");
  assert.equal(await page.evaluate(() => document.querySelectorAll("img, iframe, object, embed, link, form, [onload], [onerror]").length), 0);
  assert.equal((await column(page, "number")).length, 9, "a row broke out of the table");
  assert.ok((await column(page, "privilege")).includes("</td></tr></table><script>alert(1)</script>"), "a value was lost");
  // The policy stops what would have slipped through.
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.broken = 1";
    document.body.append(script);
    const image = document.createElement("img");
    image.src = "http://127.0.0.1:9/x.png";
    image.setAttribute("onerror", "window.broken = 1");
    document.body.append(image);
  });
  await page.waitForFunction(() => document.querySelector("img").complete);
  assert.equal(await page.evaluate(() => window.broken), undefined, "an injected script ran");
  const expected = /Content Security Policy|violates|^request http:\/\/127\.0\.0\.1:9\/x\.png$/;
  const refused = trouble.splice(0).filter((text) => !expected.test(text));
  assert.deepEqual(blocked, ["csp"], "the injected image was asked for");
  assert.deepEqual(refused, [], `the page asked for something, or failed: ${refused}`);
  await page.evaluate(() => document.querySelector("img").remove());

  await sort(page, "number");
  const up = (await column(page, "number")).map(Number);
  await sort(page, "number");
  const down = (await column(page, "number")).map(Number);
  assert.deepEqual(up, [...up].sort((a, b) => a - b));
  assert.deepEqual(down, [...up].reverse());
  await page.fill("#filter", "hyperlink");
  assert.equal((await column(page, "privilege")).length, 1);
  assert.match(await page.textContent("#shown"), /^1 of 9 rows$/);
  await page.fill("#filter", "</td> script");
  assert.equal((await column(page, "privilege")).length, 1);
  await page.fill("#filter", "");
  assert.equal((await column(page, "privilege")).length, 9);
  await page.screenshot({ path: path.join(out, "hostile.png"), fullPage: true });
  assert.deepEqual(trouble, []);

  const narrow = await open(browser, "hostile", { viewport: { width: 400, height: 800 }, colorScheme: "dark" });
  await narrow.page.screenshot({ path: path.join(out, "hostile-400-dark.png"), fullPage: true });
  const isWide = await narrow.page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  assert.equal(isWide, false, "the page is wider than a telephone");
  // Paper does not scroll: no column may stand beside the sheet.
  await narrow.page.emulateMedia({ media: "print" });
  await narrow.page.setViewportSize({ width: 1000, height: 700 });
  const edges = await narrow.page.evaluate(() => {
    const right = document.querySelector("main").getBoundingClientRect().right;
    return Array.from(document.querySelectorAll("table.result th, table.result td"), (cell) => cell.getBoundingClientRect().right - right);
  });
  assert.ok(Math.max(...edges) <= 1, "a column is not on the paper");
  await narrow.page.emulateMedia({ media: null });
  await narrow.page.pdf({ path: path.join(out, "hostile.pdf"), preferCSSPageSize: true, format: "A4" });
  assert.deepEqual(narrow.trouble, []);

  const begin = Date.now();
  ({ page, trouble } = await open(browser, "many"));
  const opened = Date.now();
  const shown = (await column(page, "number")).length;
  assert.ok(shown > 1000 && shown < 100000, `${shown} rows`);
  assert.match(await page.textContent("main"), new RegExp(`The first ${shown.toLocaleString("en")} of 100,000 rows`));
  const before = Date.now();
  await sort(page, "share");
  await sort(page, "share");
  const values = (await column(page, "number")).map(Number);
  const sorted = Date.now();
  assert.equal(values[0], shown);
  await page.fill("#filter", "row 7919");
  assert.ok((await column(page, "number")).length >= 1);
  await page.screenshot({ path: path.join(out, "many.png") });
  assert.deepEqual(trouble, []);
  console.log(`100,000 rows: ${shown} on the page, open in ${opened - begin} ms, sorted twice in ${sorted - before} ms`);
  await browser.close();
})().catch((error) => { console.error(error); process.exit(1); });
