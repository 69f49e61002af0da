// response_mode=form_post in a real browser: the page hands the answer over by
// itself, under its own content security policy, and by its button where scripts
// are off.
import { launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, password, redirect_uri } = settings;

await run(async () => {
  const browser = await launch();
  const request = async (mode) => `${(await ask({ request: "" })).address}&response_mode=${mode}`;
  for (const javaScriptEnabled of [true, false]) {
    const how = javaScriptEnabled ? "with scripts" : "without scripts";
    const page = await open(browser, { javaScriptEnabled });
    // answered is what the app's address gets, and by which method.
    const answered = async (act) => {
      const posted = page.waitForRequest((r) => r.url().startsWith(redirect_uri));
      await act();
      const got = await posted;
      await page.waitForURL((url) => url.href.startsWith(redirect_uri));
      return { method: got.method(), params: new URLSearchParams(got.postData() ?? ""), query: new URL(got.url()).search };
    };
    const finish = async () => {
      await page.click("#allow");
      if (!javaScriptEnabled) {
        await shoot(page, "form-post-plain");
        await page.click("#continue");
      }
    };
    await page.goto(await request("form_post"));
    await signIn(page, { username, password });
    const plain = await answered(finish);
    check(plain.method === "POST" && plain.query === "" && Boolean(plain.params.get("code")), `${how}: the code is posted`);
    check(plain.params.get("iss") === issuer && Boolean(plain.params.get("state")), `${how}: with iss and state`);
    await page.goto(await request("form_post.jwt"));
    const signed = await answered(finish);
    check([...signed.params.keys()].join() === "response" && signed.params.get("response").split(".").length === 3, `${how}: a signed response is posted`);
    check(page.troubles.length === 0, page.troubles.join("; ") || `${how}: nothing was blocked`);
  }
  await browser.close();
});
