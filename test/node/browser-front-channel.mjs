// Front-channel logout in a real browser: the page after signing out loads the
// relying party's frame under its own content security policy, and goes on.
import { launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { username, password, redirect_uri, after, frame } = settings;

await run(async () => {
  const browser = await launch();
  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? "with scripts" : "without scripts";
    const page = await open(browser, { javaScriptEnabled });
    const { address } = await ask({ request: "" });
    await page.goto(address);
    await signIn(page, { username, password });
    await page.waitForURL((url) => url.href.startsWith(redirect_uri) || url.pathname.startsWith("/oauth/"));
    if (!page.url().startsWith(redirect_uri) && (await page.isVisible("#allow"))) await page.click("#allow");
    await page.waitForURL((url) => url.href.startsWith(redirect_uri));
    const { logout, sid } = await ask({ landed: page.url() });
    const loaded = page.waitForResponse((r) => r.url().startsWith(frame));
    const begun = Date.now();
    await page.goto(logout);
    check((await loaded).status() === 200, `${how}: the frame is loaded`);
    if (!javaScriptEnabled) await shoot(page, "front-channel-plain");
    await page.waitForURL((url) => url.href.startsWith(after));
    const took = Date.now() - begun;
    check(page.url() === `${after}?state=s-1`, `${how}: the browser is back, with the state, after ${took} ms`);
    check((await ask({ sid })).frames === 1, `${how}: once, with the sid of the ID token`);
    check(page.troubles.length === 0, page.troubles.join("; ") || `${how}: nothing was blocked`);
  }
  await browser.close();
});
