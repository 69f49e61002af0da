// A browser app whose tokens stay on the server, with a hostile script on its page
// and a hostile sibling beside it. The script has the full power of the page: it may
// call the APIs while the page is open, and must find nothing to take away.
import { request } from "node:https";
import { launch, open, signIn, shoot } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { issuer, app, sibling, username, password, seconds } = settings;
const cookieName = "__Host-Http-demo";
const credential = /sp(?:at|rt|bs|se|ac)_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]+/;

// watch notes credentials in whatever the page could read of the traffic.
function watch(page, found) {
  const look = (where, text) => {
    const m = credential.exec(text ?? "");
    if (m) found.push(`${where}: ${m[0].slice(0, 8)}…`);
  };
  page.on("request", (r) => {
    // The code in the address of the callback is for the server, and spent by then.
    look("address " + new URL(r.url()).pathname, r.url().replace(/([?&]code=)[^&]+/, "$1"));
    look("body", r.postData());
  });
  page.on("response", async (r) => {
    const headers = { ...r.headers() };
    delete headers["set-cookie"]; // no script sees it
    look("header of " + r.url(), JSON.stringify(headers).replace(/([?&]code=)[^&"]+/, "$1"));
    look("answer of " + r.url(), await r.text().catch(() => ""));
  });
}

// loot is what a hostile script on the page can get hold of, as one text.
const loot = () => {
  const shown = (x) => { try { return JSON.stringify(x) ?? String(x); } catch { return String(x); } };
  return (async () => {
    const all = [document.cookie, shown({ ...localStorage }), shown({ ...sessionStorage }), shown(history.state), document.documentElement.outerHTML, location.href, document.referrer, window.name];
    for (const { name } of await indexedDB.databases()) all.push(name);
    for (const name of await caches.keys()) for (const req of await (await caches.open(name)).keys()) all.push(req.url);
    for (const reg of await navigator.serviceWorker.getRegistrations()) all.push(reg.scope);
    for (const e of performance.getEntries()) all.push(e.name);
    for (const key of Object.getOwnPropertyNames(window)) { try { all.push(shown(window[key])); } catch { /* not ours to read */ } }
    const mark = { "X-Sallyport-Csrf": "1" };
    for (const [path, init] of [["/bff/session", { headers: mark }], ["/bff/session", {}], ["/bff/login", {}], ["/bff/callback", {}], ["/bff/", {}], ["/catalog/items/1", { headers: mark }],
      ["/catalog/items/1", { headers: { ...mark, Authorization: "Bearer x" } }], ["/catalog/items/1", { method: "TRACE", headers: mark }], ["/bff/..%2fcatalog/items/1", { headers: mark }], ["/oauth/token", { method: "POST" }], ["/oauth/userinfo", { headers: mark }]]) {
      try {
        const r = await fetch(path, { ...init, redirect: "manual" });
        all.push(shown([...r.headers]), await r.text());
      } catch (e) { all.push(String(e)); }
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
      try { all.push(await (await fetch("/bff/session", { method: "POST", body: "{}", headers: { ...mark, "Content-Type": type } })).text()); } catch (e) { all.push(String(e)); }
    }
    if ("cookieStore" in window) all.push(shown(await cookieStore.getAll()));
    return all.join("\n");
  })();
};

const state = (page, want) => page.waitForSelector(`body[data-state="${want}"]`);

async function enter(page) {
  await page.goto(`${app}/`);
  await state(page, "out");
  await page.click("#login");
  if (await page.waitForSelector("#login, #allow").then(() => page.$('input[name="password"]'))) await signIn(page, { username, password });
  await page.waitForURL((u) => String(u).startsWith(app) || String(u).includes("/consent"));
  if (page.url().includes("/consent")) await page.click("#allow");
  await page.waitForURL(`${app}/`);
  await state(page, "in");
}

await run(async () => {
  const browser = await launch("--host-resolver-rules=MAP *.localhost 127.0.0.1", "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests");
  const page = await open(browser);
  const context = page.context();
  await context.route(`${sibling}/**`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>evil</title><body></body>" }));
  const found = [];
  watch(page, found);
  const ours = async () => (await context.cookies(app)).filter((c) => c.name.startsWith("__Host-Http-"));
  const call = (where, path = "/catalog/items/1") => where.evaluate(async (p) => (await fetch(p, { headers: { "X-Sallyport-Csrf": "1" } })).status, path);

  await enter(page);
  await shoot(page, "browser-app");
  const [cookie, ...more] = await ours();
  check(more.length === 0 && cookie.name === cookieName, `T139 one cookie: ${[cookie, ...more].map((c) => c?.name)}`);
  check(cookie.secure && cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/" && cookie.domain === new URL(app).hostname, "Secure, HttpOnly, SameSite=Strict, Path=/, no Domain");
  check(page.troubles.length === 0, page.troubles.join("; ") || "nothing was stopped by the policy of the page");
  await page.click('[data-call="GET /catalog/items/1"]');
  await page.waitForSelector("#result:not([hidden])");
  check((await page.textContent("#result")).includes("\n200\n"), "the page calls an API");

  await page.reload();
  await state(page, "in");
  check(true, "signed in after a reload");
  const tab = await context.newPage();
  watch(tab, found);
  await tab.goto(`${app}/some/place`);
  await state(tab, "in");
  check(true, "signed in in a new tab");
  const statuses = await tab.evaluate(async () => Promise.all(Array.from({ length: 100 }, async () => (await fetch("/catalog/items/1", { cache: "no-store", headers: { "X-Sallyport-Csrf": "1" } })).status)));
  check(statuses.every((s) => s === 200), `a hundred calls at once: ${[...new Set(statuses)]}`);
  await tab.close();

  const raw = (headers) => new Promise((done, fail) => {
    const to = new URL(issuer);
    request({ host: "127.0.0.1", port: to.port, servername: to.hostname, path: "/catalog/items/1", headers: { ...headers, Host: new URL(app).host, Cookie: `${cookieName}=${cookie.value}` } }, (r) => { r.resume(); done(r.statusCode); }).on("error", fail).end();
  });

  // T141: any of the signs dropped. A page cannot drop what the browser sets, a program can.
  check((await page.evaluate(async () => (await fetch("/catalog/items/1")).status)) === 403, "T141 a call without the header: 403");
  for (const [what, headers] of [
    ["without Sec-Fetch-Site", { Origin: app, "X-Sallyport-Csrf": "1" }], ["of another Origin", { Origin: sibling, "Sec-Fetch-Site": "same-origin", "X-Sallyport-Csrf": "1" }],
    ["without the header", { Origin: app, "Sec-Fetch-Site": "same-origin" }],
  ]) {
    check((await raw(headers)) === 403, `T141 a call ${what}: 403`);
  }
  check((await raw({ Origin: app, "Sec-Fetch-Site": "same-origin", "X-Sallyport-Csrf": "1" })) === 200, "T141 and with all three: 200");

  // T008 T142: the hostile script, again and again while the page is used.
  const until = Date.now() + seconds * 1000;
  let rounds = 0;
  do {
    const m = credential.exec(await page.evaluate(loot));
    check(!m, m ? `T008 the script has ${m[0].slice(0, 8)}…` : `T008 round ${++rounds}: the script has nothing`);
    await page.evaluate(() => { // it would plant a session, and a worker that outlives the page
      document.cookie = "__Host-Http-demo=planted; Secure; Path=/";
      return navigator.serviceWorker.register("/bff/session").catch(() => null);
    });
    check((await ours()).length === 1 && (await ours())[0].value === cookie.value, "the script plants no cookie");
    check((await call(page)) === 200, "the session goes on");
    if (Date.now() < until) await page.waitForTimeout(1000);
  } while (Date.now() < until);
  const workers = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
  check(workers === 0, `${workers} workers outlive the page`);

  // T009: the hostile sibling, which is the same site.
  const evil = await context.newPage();
  await evil.goto(`${sibling}/`);
  await evil.evaluate((host) => {
    for (const name of ["__Host-Http-demo", "__Host-demo", "__Http-demo", "demo", "__host-http-demo"]) document.cookie = `${name}=tossed; Domain=${host}; Path=/; Secure`;
    for (const path of ["/catalog", "/bff"]) document.cookie = `=__Host-Http-demo=tossed; Domain=${host}; Path=${path}; Secure`;
  }, new URL(app).hostname);
  check((await ours()).filter((c) => c.name === cookieName).length === 1, "no cookie of the sibling has our name");
  await evil.evaluate((to) => Promise.all([
    ["POST", "/bff/logout", "text/plain"], ["PUT", "/catalog/items/1", "text/plain"], ["GET", "/bff/session", ""], ["GET", "/catalog/items/1", ""], ["POST", "/bff/logout", "application/x-www-form-urlencoded"],
  ].map(([method, path, type]) => fetch(to + path, { method, mode: method === "PUT" ? "cors" : "no-cors", credentials: "include", headers: type ? { "Content-Type": type } : {}, body: method === "GET" ? undefined : '{"name":"evil","price":0}' }).catch(() => null))), app);
  const read = await evil.evaluate(async (to) => {
    try { return await (await fetch(to + "/bff/session", { credentials: "include", headers: { "X-Sallyport-Csrf": "1" } })).text(); } catch { return "refused"; }
  }, app);
  check(read === "refused", `BF15 the sibling reads ${read}`);
  for (const path of ["/bff/logout", "/catalog/items/1"]) { // forms, and pictures
    const answer = context.waitForEvent("response", (r) => r.url() === app + path && r.request().method() === "POST");
    await evil.goto(`${sibling}/`);
    await evil.evaluate((action) => { const f = Object.assign(document.createElement("form"), { method: "post", action, enctype: "text/plain" }); document.body.append(f); f.submit(); }, app + path);
    const { status } = { status: (await answer).status() };
    check(status === 403 || status === 405, `a form of the sibling at ${path}: ${status}`);
    await evil.waitForURL(app + path); // or going on would interrupt it
  }
  await evil.goto(`${sibling}/`);
  await evil.evaluate((to) => new Promise((done) => { const i = new Image(); i.onload = i.onerror = done; i.src = to + "/bff/logout"; document.body.append(i); }), app);
  await evil.evaluate((to) => new Promise((done) => { const f = document.createElement("iframe"); f.onload = done; f.src = to + "/"; document.body.append(f); }), app);
  const framed = await Promise.all(evil.frames().slice(1).map((f) => f.content().catch(() => "")));
  check(!framed.some((c) => c.includes("Demo browser app")), "the app is not framed");
  await evil.close();
  await page.reload();
  await state(page, "in");
  check((await call(page)) === 200 && (await ours()).find((c) => c.name === cookieName).value === cookie.value, "the sibling has changed nothing");

  // BF10: signing out.
  await page.goto(`${app}/before`);
  await state(page, "in");
  await page.goto(`${app}/`);
  await state(page, "in");
  await page.click("#logout");
  await state(page, "out");
  check((await ours()).filter((c) => c.name === cookieName).length === 0, "BF10 the cookie is gone");
  await page.goBack().catch(() => null);
  await state(page, "out");
  check((await call(page)) === 401, "BF10 back shows nobody, and calls are refused");
  await context.addCookies([cookie]);
  check((await call(page)) === 401, "BF09 the cookie of before is worth nothing");
  await page.goto(`${issuer}/account`);
  check(!page.url().endsWith("/account") || (await page.$("#login")) !== null, "the issuer has signed the person out too");
  check(found.length === 0, found.length ? `BF02 credentials in the traffic: ${[...new Set(found)].join("; ")}` : "BF02 no credential in the traffic");
  await browser.close();
});
