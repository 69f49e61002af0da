// How the issuer's pages look and whether everybody can use them: wide, on a
// phone, in the dark, by keyboard alone, and through axe-core.
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, password } = settings;
const looks = {
  wide: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
};

async function see(page, name) {
  await shoot(page, name);
  await fits(page, name);
  await accessible(page, name);
}

// byKeyboard reaches the login form with Tab, fills it and sends it with Enter.
async function byKeyboard(page) {
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("name"));
  for (let i = 0; i < 10 && (await focused()) !== "username"; i++) await page.keyboard.press("Tab");
  check((await focused()) === "username", "Tab reaches the user name");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(username);
  await page.keyboard.press("Tab");
  check((await focused()) === "password", "and then the password");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
}

await run(async () => {
  const browser = await launch();
  for (const [look, options] of Object.entries(looks)) {
    const page = await open(browser, options);
    await page.goto((await ask({ request: "" })).address);
    await see(page, `${look}-login`);
    if (look === "wide") {
      await signIn(page, { username, password: "not the password" });
      await see(page, `${look}-login-wrong`);
      await byKeyboard(page);
    } else {
      await signIn(page, { username, password });
    }
    await page.waitForSelector("#allow");
    await see(page, `${look}-consent`);
    await page.goto(`${issuer}/oauth/logout`);
    await see(page, `${look}-logout`);
    await page.click("#confirm");
    await page.waitForLoadState();
    await see(page, `${look}-signed-out`);
    await page.goto(`${issuer}/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example/`);
    await see(page, `${look}-error`);
    check(page.troubles.length === 0, page.troubles.join("; ") || `no script or policy error in ${look}`);
    await page.context().close();
  }
  await browser.close();
});
