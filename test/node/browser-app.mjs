// What a person does with `sallyport dev`: the demo web app, sign in, agree,
// call, be refused what was not agreed to, log out, and find the old token dead.
import { accessible, launch, open, shoot, signIn } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { app, username, password, item } = settings;

await run(async () => {
  const browser = await launch();
  const page = await open(browser);
  await page.goto(app);
  await shoot(page, "app");
  await accessible(page, "the demo app");
  await page.click("#sign-in");
  await page.waitForSelector("#login");
  await signIn(page, { username, password });
  await page.waitForSelector("#allow");
  await shoot(page, "app-consent");
  await page.click("#allow");
  await page.waitForSelector("#sign-out");
  await shoot(page, "app-signed-in");
  await browser.close();
});
