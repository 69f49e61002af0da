// The issuer's pages with JavaScript off: all of them must work and say what
// went wrong.
import { launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, password, redirect_uri } = settings;

await run(async () => {
  const browser = await launch();
  const page = await open(browser, { javaScriptEnabled: false });
  // Without JavaScript the app cannot tidy its address, so it can be read here.
  const landed = async () => {
    await page.waitForURL((url) => url.href.startsWith(redirect_uri));
    return new URL(page.url()).searchParams;
  };
  const request = async () => (await ask({ request: "" })).address;

  await page.goto(await request());
  await shoot(page, "plain-login");
  await page.click('button[value="ar"]');
  check((await page.getAttribute("html", "dir")) === "rtl", "a language is chosen, and the sign-in is still there");
  await page.click('button[value="en"]');
  await signIn(page, { username, password: "not the password" });
  await shoot(page, "plain-login-wrong");
  check(await page.isVisible("#login"), "a wrong password shows the login page again");
  check(!(await page.content()).includes("not the password"), "and does not repeat the password");
  await signIn(page, { username, password });
  await shoot(page, "plain-consent");
  await page.click("#deny");
  check((await landed()).get("error") === "access_denied", "deny sends access_denied to the app");

  await page.goto(await request());
  check(await page.isVisible("#allow"), "after deny the question is asked again, without a new sign-in");
  await page.click("#allow");
  const answer = await landed();
  check(Boolean(answer.get("code")), "allow sends a code to the app");
  check(answer.get("iss") === issuer, "with the issuer's name");

  await page.goto(`${issuer}/oauth/logout`);
  await shoot(page, "plain-logout");
  await page.click("#confirm");
  await page.waitForLoadState();
  await shoot(page, "plain-signed-out");
  await page.goto(await request());
  check(await page.isVisible("#login"), "after logout the person must sign in again");

  await page.goto(`${issuer}/oauth/authorize?client_id=nobody&redirect_uri=https://evil.example/`);
  await shoot(page, "plain-error");
  check(page.url().startsWith(issuer), "an unknown client is never redirected to");
  await browser.close();
});
