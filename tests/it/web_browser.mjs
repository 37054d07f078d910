// Looks at the page as people do. Called by web_browser.rs; exits with 1 and says what is wrong.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

const { MODULES, CHROMIUM, PICTURES } = process.env;
const require = createRequire(join(MODULES, "here.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

const [part, base, ...paths] = process.argv.slice(2);
const WIDTHS = [{ width: 1280, height: 800 }, { width: 390, height: 844 }];
const wrong = [];

// Everything a browser complains of: console, exceptions, violated policies, requests to elsewhere.
function listen(page, where) {
  page.on("console", (said) => {
    if (["error", "warning"].includes(said.type()) && !/status of 404/.test(said.text())) wrong.push(`${where}: ${said.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${where}: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) wrong.push(`${where}: asks ${request.url()}`);
  });
}

async function accessible(page, where) {
  // Evaluated by the browser's debugger, which the policy of the page does not bind.
  await page.evaluate(`${axe}; 0`);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const one of violations) wrong.push(`${where}: ${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}

async function pages(browser) {
  mkdirSync(PICTURES, { recursive: true });
  for (const viewport of WIDTHS) {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport, colorScheme });
      for (const path of paths) {
        const where = `${path} at ${viewport.width}, ${colorScheme}`;
        const page = await context.newPage();
        listen(page, where);
        await page.goto(base + path, { waitUntil: "networkidle" });
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wider > 0) wrong.push(`${where}: ${wider} px wider than the window`);
        await accessible(page, where);
        const picture = { "/": "overview", [paths[1]]: "credential" }[path];
        if (picture) {
          const file = `${picture}-${viewport.width}-${colorScheme}.png`;
          await page.screenshot({ path: join(PICTURES, file), fullPage: viewport.width === 1280 && picture === "overview" });
        }
        await page.close();
      }
      await context.close();
    }
  }
  // By keyboard alone: the first stop skips to the content, and every later one can be seen.
  const page = await browser.newPage();
  await page.goto(base);
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => document.activeElement.textContent);
  if (!first.startsWith("Skip")) wrong.push(`the first stop of the keyboard is ${first}`);
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  if (outline === "none") wrong.push("where the keyboard is cannot be seen");
  // Without scripts everything is there as well.
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const bare = await plain.newPage();
  await bare.goto(base);
  await bare.fill("input[name=name]", "hillside");
  await bare.click("button[type=submit]");
  const rows = await bare.locator("table tbody tr").count();
  if (rows !== 1) wrong.push(`without scripts the filter finds ${rows} rows`);
}

// Side by side: what fails in the demo is mended some seconds later.
async function follow(browser) {
  const one = async (viewport) => {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    listen(page, `follow at ${viewport.width}`);
    await page.goto(base);
    const name = "Hillside Farms";
    const incident = page.locator(".incidents a.who", { hasText: name });
    // The demo takes some seconds until the grower revokes access.
    for (let tries = 0; tries < 120 && (await incident.count()) === 0; tries++) {
      await page.waitForTimeout(250);
      await page.reload();
    }
    await incident.first().click();
    await page.locator("h1", { hasText: name }).waitFor();
    await page.locator(".events .badge.critical").first().waitFor();
    const event = await page.locator(".events li", { hasText: "invalid_grant" }).first().innerText();
    if (!event.includes("HTTP 400")) wrong.push(`the event says ${event}`);
    await accessible(page, `the credential at ${viewport.width}`);
    await page.locator(".panel a.number, .incidents a.number").first().click();
    await page.locator("h2", { hasText: "Its life" }).waitFor();
    await context.close();
  };
  await Promise.all(WIDTHS.map(one));
}

// Between the browser and the page, over real sockets: it hands on, refuses, answers with an error, or holds its breath.
async function doorway() {
  const open = new Set();
  let mode = "pass";
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    if (mode === "refuse") socket.destroy();
    else if (mode === "hang") socket.resume();
    else if (mode === "error") socket.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    else {
      const { host, hostname, port } = new URL(base);
      const on = connect(Number(port), hostname);
      on.on("error", () => socket.destroy());
      // The page answers under its own name only.
      socket.on("data", (asked) => on.write(asked.toString("latin1").replaceAll(`127.0.0.1:${server.address().port}`, host), "latin1"));
      on.pipe(socket);
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const turn = (to) => {
    mode = to;
    for (const socket of open) socket.destroy();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, turn, close: () => (turn("refuse"), server.close()) };
}

// A page that loses the daemon says so at the next refresh, above everything and in its title, and takes it back.
async function lost(browser) {
  const door = await doorway();
  mkdirSync(PICTURES, { recursive: true });
  for (const [viewport, colorScheme] of [[WIDTHS[0], "light"], [WIDTHS[1], "dark"]]) {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    // A minute is over, and its patience is at an end, where this script says so.
    await page.addInitScript(() => {
      const [soon, now] = [setTimeout, Date.now];
      let ahead = 0;
      Date.now = () => now() + ahead;
      globalThis.setInterval = (call, every) => {
        globalThis.aMinutePasses = () => ((ahead += every), call());
      };
      globalThis.setTimeout = (call, wait) => (wait < 10_000 ? soon(call, wait) : void (globalThis.patienceEnds = call));
    });
    door.turn("pass");
    await page.goto(door.url, { waitUntil: "networkidle" });
    const minute = () => page.evaluate(() => globalThis.aMinutePasses());
    const inVain = () =>
      page.evaluate(() => {
        const asked = globalThis.aMinutePasses();
        globalThis.patienceEnds();
        return asked;
      });
    const notice = page.locator("#lost");
    const title = await page.title();
    const then = await page.locator("footer time").textContent();
    const says = async (where, head) => {
      const said = (await notice.allInnerTexts()).join();
      if (!said.includes(head) || !said.includes(then)) wrong.push(`${where}: says "${said}"`);
      if (!(await page.title()).startsWith(head)) wrong.push(`${where}: its title is ${await page.title()}`);
    };
    const isQuiet = async (where) => {
      if ((await notice.count()) > 0) wrong.push(`${where}: says ${await notice.innerText()}`);
      if ((await page.title()) !== title) wrong.push(`${where}: its title is ${await page.title()}`);
    };
    for (const [mode, head] of [["refuse", "No answer"], ["error", "Leafwatch answers with an error (HTTP 503)"], ["hang", "No answer"]]) {
      await minute();
      await isQuiet(`before ${mode}`);
      door.turn(mode);
      await (mode === "hang" ? inVain() : minute());
      await says(mode, head);
      await accessible(page, `${mode} at ${viewport.width}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wider > 0) wrong.push(`${mode}: ${wider} px wider than the window`);
      await page.screenshot({ path: join(PICTURES, `lost-${mode}-${viewport.width}-${colorScheme}.png`) });
      door.turn("pass");
    }
    await minute();
    await isQuiet("after all");
    // Also while somebody writes, and nothing of the page may be exchanged.
    await page.locator("input[name=name]").fill("hill");
    door.turn("refuse");
    await minute();
    await says("while writing", "No answer");
    door.turn("pass");
    for (let minutes = 0; minutes < 3; minutes++) await minute();
    await says("still writing", "This page is old");
    if ((await page.locator("input[name=name]").inputValue()) !== "hill") wrong.push("what was written is gone");
    await page.locator("input[name=name]").evaluate((input) => input.blur());
    await minute();
    await isQuiet("after writing");
    await context.close();
  }
  door.close();
}

// The last for containers, in which there is no other sandbox for it.
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
try {
  await { pages, follow, lost }[part](browser);
} finally {
  await browser.close();
}
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
