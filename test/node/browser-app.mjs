// What a person does with `sallyport dev`: in the demo web app, sign in, agree,
// call, be refused what was not agreed to, log out, and find the old token
// dead. Once with JavaScript and once without.
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { app, username, password } = settings;

// press does what a button of the app does and returns the answer it shows.
async function press(page, id) {
  await page.click(`#${id}`);
  await page.waitForSelector("#result");
  return page.textContent("#result");
}

async function walk(browser, name, options) {
  const page = await open(browser, options);
  const see = async (what) => {
    await shoot(page, `${name}-${what}`);
    if (options.javaScriptEnabled === false) return;
    await fits(page, `${name}-${what}`);
    await accessible(page, `${name}-${what}`);
  };
  await page.goto(app);
  await see("app");
  await page.click("#signin");
  await page.waitForSelector("#login");
  await see("login");
  await signIn(page, { username, password });
  // What was agreed to in the first walk is not asked for in the second.
  await page.waitForSelector("#allow, #who");
  if (await page.isVisible("#allow")) {
    await see("consent");
    await page.click("#allow");
  }
  await page.waitForSelector("#who");
  await see("signed-in");

  check((await press(page, "read")).includes("200 OK"), "an item can be read");
  await see("read");
  check((await press(page, "weather")).includes("200 OK"), "the weather can be asked for");
  const refused = await press(page, "write");
  check(refused.includes("403 Forbidden"), "a PUT without its scope is refused");
  await see("write-refused");
  check(!(await press(page, "pay")).includes("200 OK"), "tier high refuses a password alone");

  await page.click("#logout");
  await page.waitForSelector("#old-token");
  await see("logged-out");
  check((await press(page, "old-token")).includes("401 Unauthorized"), "the old token is dead");
  await see("old-token");
  check(page.troubles.length === 0, page.troubles.join("; ") || "no script or policy error");
  await page.context().close();
}

await run(async () => {
  const browser = await launch();
  await walk(browser, "app", {});
  await walk(browser, "plain-app", { javaScriptEnabled: false });
  await browser.close();
});
