// A real Chromium for the browser tests. It trusts the CA of the running
// server because HOME has a certificate store with it; certificate errors are
// never ignored.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { check } from "./flow.mjs";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SALLYPORT_SCREENSHOTS;
mkdirSync(shots, { recursive: true });

export const launch = (...more) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more,
    ],
  });

// open gives a page that reports what a person would not see: script errors,
// and anything that the content security policy stopped.
export async function open(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (err) => page.troubles.push(`script error: ${err.message}`));
  page.on("console", (msg) => {
    if (msg.type() === "error" && /Content Security Policy/.test(msg.text())) page.troubles.push(msg.text());
  });
  return page;
}

export const shoot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

// accessible fails if axe-core finds anything on the page, by all of its rules or by
// those that are named, and by those on the size of targets in any case.
export async function accessible(page, name, rules) {
  await page.evaluate(axeSource);
  const options = rules ? { runOnly: { type: "rule", values: rules } } : { rules: { "target-size": { enabled: true } } };
  const { violations } = await page.evaluate((o) => globalThis.axe.run(o), options);
  const found = violations.map((v) => `${v.id}: ${v.help} (${v.nodes.map((n) => n.target).join(", ")})`);
  check(found.length === 0, found.length ? `axe on ${name}: ${found.join("; ")}` : `axe finds nothing on ${name}`);
}

// fits fails if a page must be scrolled sideways.
export async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(over <= 0, over > 0 ? `${name} is ${over} px wider than the screen` : `${name} fits`);
}

export async function signIn(page, { username, password }) {
  await page.fill('input[name="username"]', username);
  await page.fill('input[name="password"]', password);
  await page.click("#login");
}
