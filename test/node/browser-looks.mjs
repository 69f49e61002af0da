// Whether everybody can use the issuer's pages as they are served: by keyboard
// alone, and on a phone, in the dark and from right to left, through axe-core.
// browser-pages.mjs sees each page in each look, without a server.
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, password, redirect_uri } = settings;

async function see(page, name) {
  await shoot(page, name);
  await fits(page, name);
  await accessible(page, name);
}

// reach goes to an element with Tab and nothing else, and sees that focus is visible.
async function reach(page, selector) {
  for (let i = 0; i < 60; i++) {
    const at = await page.evaluate((s) => document.activeElement?.matches(s), selector);
    if (at) {
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      check(outline !== "none", `Tab reaches ${selector}, and one sees it`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  check(false, `Tab does not reach ${selector}`);
}

const type = async (page, selector, text) => {
  await reach(page, selector);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text);
};
const press = async (page, selector, key) => {
  await reach(page, selector);
  await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
};

async function byKeyboard(browser) {
  const page = await open(browser, { viewport: { width: 1280, height: 800 } });
  await page.goto((await ask({ request: "" })).address);
  await press(page, 'button[value="de"]', "Enter");
  check((await page.getAttribute("html", "lang")) === "de", "the language is chosen with Enter");
  await press(page, 'button[value="en"]', "Space");
  await type(page, "#username", username);
  await type(page, "#password", "not the password");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#problem");
  check((await page.getAttribute("#password", "aria-describedby")).includes("problem"), "what was wrong is said of the field");
  check(await page.evaluate(() => document.activeElement?.id === "problem"), "and read out first");
  await see(page, "wide-login-wrong");
  await type(page, "#username", username);
  await type(page, "#password", password);
  await press(page, "#login", "Enter");
  await page.waitForSelector("#allow");
  await see(page, "wide-consent");
  await press(page, "#allow", "Space");
  check(page.url().startsWith(redirect_uri), "sign-in and consent end at the app, without a mouse");

  await page.goto(`${issuer}/account`);
  await page.keyboard.press("Tab");
  check(await page.evaluate(() => document.activeElement?.matches(".skip")), "the first Tab leads past the top");
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement?.id === "main"), "to the content");
  const links = await page.$$eval(".nav a:not([aria-current])", (all) => all.map((a) => a.getAttribute("href")));
  for (const href of links.slice(0, 1)) {
    await page.goto(`${issuer}/account`);
    await press(page, `.nav a[href="${href}"]`, "Enter");
    check(new URL(page.url()).pathname === href, `${href} opens with Enter`);
  }
  check(page.troubles.length === 0, page.troubles.join("; ") || "no script or policy error");
  await page.context().close();
}

// served looks at pages with the headers that they are served with.
async function served(browser, name, options) {
  const page = await open(browser, options);
  await page.goto((await ask({ request: "" })).address);
  await see(page, `${name}-login`);
  await signIn(page, { username, password });
  await page.waitForSelector("#allow");
  await see(page, `${name}-consent`);
  await page.goto(`${issuer}/account`);
  for (const address of await page.$$eval(".nav a", (all) => all.map((a) => a.href))) {
    await page.goto(address);
    await see(page, `${name}${new URL(address).pathname.replaceAll("/", "-")}`);
  }
  await page.goto(`${issuer}/oauth/logout`);
  await see(page, `${name}-logout`);
  await page.click("#confirm");
  await page.waitForLoadState();
  await see(page, `${name}-signed-out`);
  await page.goto(`${issuer}/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example/`);
  await see(page, `${name}-error`);
  check(page.troubles.length === 0, page.troubles.join("; ") || `no script or policy error in ${name}`);
  await page.context().close();
}

await run(async () => {
  const browser = await launch();
  await byKeyboard(browser);
  await served(browser, "phone-dark-rtl", {
    viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: "dark", locale: "ar",
  });
  await browser.close();
});
