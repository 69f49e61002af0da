// The example of an app in the browser alone, in a real Chromium: sign in, call,
// find no token where a script could leave one, sign out.
import { launch, open, signIn } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { app, username, password } = settings;

await run(async () => {
  const browser = await launch();
  const page = await open(browser, {});
  await page.goto(app);
  await page.click("#login");
  await page.waitForSelector('input[name="username"]');
  await signIn(page, { username, password });
  await page.waitForSelector("#allow");
  await page.click("#allow");
  await page.waitForFunction(() => document.querySelector("#who")?.textContent === "signed in");
  check(page.url() === app, "the code has left the address");
  await page.click("#call");
  await page.waitForFunction(() => document.querySelector("#answer").textContent !== "");
  const answer = await page.textContent("#answer");
  check(answer === "200 the item", `the API answers: ${answer}`);
  const left = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  check(left === '[{},{},""]', `nothing is left in storage: ${left}`);
  await page.click("#logout");
  await page.waitForFunction((url) => location.href === url && document.querySelector("#who")?.textContent === "not signed in", app);
  await page.waitForLoadState("load"); // its script is there
  await page.click("#login");
  await page.waitForSelector('input[name="username"]');
  check(true, "the issuer asks again after signing out");
  check(page.troubles.length === 0, page.troubles.join("; ") || "no script or policy error");
  await browser.close();
});
