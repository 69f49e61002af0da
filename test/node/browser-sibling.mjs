// A hostile sibling site in the browser of somebody who is signed in. It is the same
// site to the browser, so SameSite cookies go with its requests: what holds is the
// __Host- prefix, Sec-Fetch-Site, the token in each form, and the headers of pages.
import { launch, open, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, sibling, username, password, redirect_uri, resolve } = settings;
const names = ["__Host-sallyport", "__Host-sallyport-browser", "__Host-sallyport-ticket", "__Host-sallyport-language"];
const authorize = async () => (await ask({ request: "" })).address;

// host makes the sibling's pages exist, without a server.
const host = (page) =>
  page.context().route(`${sibling}/**`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>evil</title><body></body>" }));

// send fills a form on the sibling and sends it; returns the answer of the issuer.
async function send(page, path, fields) {
  await page.goto(`${sibling}/`);
  const answer = page.waitForResponse((r) => r.request().method() === "POST" && r.url().startsWith(issuer));
  await page.evaluate(({ action, fields }) => {
    const form = Object.assign(document.createElement("form"), { method: "post", action });
    for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), { name, value }));
    document.body.append(form);
    HTMLFormElement.prototype.submit.call(form);
  }, { action: issuer + path, fields });
  const status = (await answer).status();
  await page.waitForURL((u) => String(u).startsWith(issuer));
  return status;
}

// hidden reads the hidden fields of the form that a button of the page belongs to.
const hidden = (page, button) =>
  page.$eval(button, (b) => Object.fromEntries([...b.form.elements].filter((e) => e.type === "hidden").map((e) => [e.name, e.value])));

await run(async () => {
  const browser = await launch(`--host-resolver-rules=${resolve}`);
  const page = await open(browser);
  const cookies = async () => {
    const list = await page.context().cookies(issuer);
    return JSON.stringify(list.filter((c) => c.name.startsWith("__Host-")).map((c) => [c.name, c.value, c.domain]).sort());
  };
  await host(page);
  await page.goto(`${issuer}/account`);
  await signIn(page, { username, password });
  await page.waitForURL(`${issuer}/account`);
  const signedIn = await cookies();
  const unchanged = async (what) => {
    const res = await page.goto(`${issuer}/account`);
    check(res.status() === 200 && page.url() === `${issuer}/account` && (await cookies()) === signedIn, what);
  };
  await unchanged("the person is signed in");

  // Cookies of the sibling for the whole site, under our names and under others that
  // a careless reader takes for them.
  await page.goto(`${sibling}/`);
  await page.evaluate((names) => {
    for (const name of [...names, "sallyport", "__Secure-sallyport", "__host-sallyport"]) {
      for (const path of ["/", "/login", "/account", "/consent"]) {
        document.cookie = `${name}=tossed; Domain=example.test; Path=${path}; Secure`;
        document.cookie = ` ${name}=tossed; Domain=example.test; Path=${path}; Secure`;
        document.cookie = `=${name}=tossed; Domain=example.test; Path=${path}; Secure`;
        document.cookie = `\u2000${name}=tossed; Domain=example.test; Path=${path}; Secure`;
      }
    }
    for (let i = 0; i < 20; i++) document.cookie = `flood${i}=${"x".repeat(100)}; Domain=example.test; Path=/; Secure`;
  }, names);
  const tossed = (await page.context().cookies(issuer)).filter((c) => c.value.includes("tossed"));
  check(tossed.length > 0, `${tossed.length} cookies of the sibling reach the issuer`);
  check(!tossed.some((c) => names.includes(c.name)), "none of them under a name of ours");
  await unchanged("cookies of a sibling sign nobody out or in");

  // Forms, with a request of the victim that the attacker knows.
  await page.goto(await authorize());
  await page.waitForSelector("#allow");
  const consent = await hidden(page, "#allow");
  const other = await open(browser); // the attacker's own browser, with fields that are right there
  await other.goto(await authorize());
  const login = await hidden(other, "#login");
  await other.context().close();
  for (const [path, fields] of [
    ["/consent", { ...consent, csrf: login.csrf, decision: "allow" }],
    ["/consent", { flow: consent.flow, decision: "allow" }],
    ["/consent", { ...consent, decision: "allow" }], // even with the token of the victim's own page
    ["/login", { ...login, username, password }], // login CSRF
    ["/login", { ...login, flow: consent.flow, username, password }],
    ["/login/second", { ...login, code: "123456" }],
    ["/oauth/logout", { confirm: "yes", csrf: login.csrf }],
    ["/language", { language: "ar", return: "/account", csrf: login.csrf }],
    ["/device", { user_code: "BCDF-GHJK", csrf: login.csrf }],
    ["/account/security/password", { do: "change", password: "chosen by a sibling 1", csrf: login.csrf }],
    ["/account/security/authenticator", { do: "add", csrf: login.csrf }],
    ["/account/security/recovery-codes", { do: "make", csrf: login.csrf }],
    ["/account/sessions", { do: "end_all", csrf: login.csrf }],
    ["/account/apps", { do: "end", csrf: login.csrf }],
    ["/account/addresses", { do: "add", address: "evil@example.test", csrf: login.csrf }],
    ["/account/data", { do: "delete", csrf: login.csrf }],
  ]) {
    const status = await send(page, path, fields);
    check(status === 403, `a form of the sibling at ${path}: ${status}`);
  }
  await unchanged("forms of a sibling change nothing");
  const refused = await page.goto(`${sibling}/`).then(() => page.evaluate(async (address) => {
    try {
      await fetch(address, { method: "POST", credentials: "include", body: "{}", headers: { "Content-Type": "application/json" } });
      return "read";
    } catch { return "refused"; }
  }, `${issuer}/consent`));
  check(refused === "refused", "a script of the sibling reads nothing");

  // Addresses alone do nothing, whatever they say.
  for (const path of ["/oauth/logout?confirm=yes", `/consent?flow=${consent.flow}&decision=allow`, "/account/sessions?do=end_all", "/account/data?do=delete",
    "/language?language=ar", `/login?flow=${consent.flow}&username=${username}`, "/login/second?code=123456", "/device?user_code=BCDF-GHJK"]) {
    await page.goto(`${sibling}/`);
    await Promise.all([page.waitForURL((u) => String(u).startsWith(issuer)), page.evaluate((to) => { location.href = to; }, issuer + path)]);
  }
  await unchanged("addresses that a sibling sends the browser to change nothing");

  // Frames, and windows that a sibling opens.
  await page.goto(`${sibling}/`);
  const pages = [`/consent?flow=${consent.flow}`, "/account", "/account/security", "/oauth/logout", "/device", `/login?flow=${login.flow}`];
  await page.evaluate(async (list) => {
    await Promise.all(list.map((src) => new Promise((done) => {
      const frame = document.createElement("iframe");
      frame.onload = done;
      frame.src = src;
      document.body.append(frame);
    })));
  }, pages.map((p) => issuer + p));
  const framed = (await Promise.all(page.frames().slice(1).map(async (f) => (await f.content().catch(() => "")).includes("<form") && f.url()))).filter(Boolean);
  check(page.frames().length === pages.length + 1 && framed.length === 0, `no page is framed: ${framed}`);
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate((to) => { window.w = window.open(to); }, `${issuer}/account`)]);
  await popup.waitForURL(`${issuer}/account`);
  check(await popup.evaluate(() => window.opener === null), "a page does not know who has opened it");
  check(await page.evaluate(() => window.w.closed), "and who has opened it has no hold on it");
  await popup.close();

  // A name that the app suggests is shown as a text, and no more.
  const trick = await open(browser);
  const address = new URL(await authorize());
  address.searchParams.set("login_hint", `"><img src=x onerror=alert(1)>`);
  await trick.goto(String(address));
  check((await trick.$$("img[src=x]")).length === 0, "a suggested name is no markup");
  check((await trick.inputValue("#password")) === "", "and suggests no password");
  check(trick.troubles.length === 0, trick.troubles.join("; ") || "nothing was stopped, because nothing was tried");

  // The pair: the same form from its own page.
  await page.goto(await authorize());
  await page.click("#allow");
  await page.waitForURL((u) => String(u).startsWith(redirect_uri));
  check(new URL(page.url()).searchParams.has("code"), "the consent of the person themselves counts");
  await unchanged("and they are still signed in");
  await browser.close();
});
