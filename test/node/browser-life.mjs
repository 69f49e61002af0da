// The life of an account in a real browser: somebody signs up, adds a passkey and
// recovery codes, loses the phone with both the passkey and the password, recovers,
// sees what is signed in and ends it, and leaves.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { issuer, mails } = settings;
const account = `${issuer}/account`;
const address = "grace@example.com";
const first = "nine quiet herons at dusk";
const second = "eleven loud geese at dawn";

async function see(page, name) {
  await shoot(page, `life-${name}`);
  await fits(page, name);
  await accessible(page, name);
}

// enter signs in with the password and, where it is asked for, a recovery code.
async function enter(page, password, recovery) {
  await signIn(page, { username: "grace", password });
  await page.waitForLoadState();
  if (!/\/login\/second/.test(page.url())) return;
  await page.click("#use_recovery");
  await page.fill("#recovery_code", recovery);
  await page.click("#verify");
  await page.waitForLoadState();
}

// letter waits for the next mail to the address; what has been read is not read again.
const read = new Set();
async function letter(about) {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    for (const name of existsSync(mails) ? readdirSync(mails).sort() : []) {
      const text = readFileSync(join(mails, name), "utf8");
      if (read.has(name) || !text.includes(address)) continue;
      read.add(name);
      if (about.test(text)) return text;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail about ${about}`);
}

const code = (mail) => mail.match(/\b\d{4} ?\d{4}\b/)[0];

const phoneOf = async (page) => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true,
      hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  return { lose: () => cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId }) };
};

await run(async () => {
  const browser = await launch();
  const page = await open(browser, { viewport: { width: 1000, height: 800 } });
  const phone = await phoneOf(page);

  // Signing up.
  await page.goto(account);
  await page.click("#sign_up");
  await page.fill("#address", address);
  await page.click("#go_on");
  await page.fill("#code", code(await letter(/\b\d{4} ?\d{4}\b/)));
  await page.click("#go_on");
  await page.waitForSelector("#username");
  await see(page, "sign-up");
  await page.fill("#username", "grace");
  await page.fill("#password", first);
  await page.click("#sign_up");
  await page.waitForURL(account);
  check((await page.textContent("main")).includes("grace"), "somebody signs up and is where they wanted to be");
  await see(page, "account");

  // A passkey, and codes for the day on which it is lost.
  await page.goto(`${account}/security/passkeys`);
  await signIn(page, { username: "grace", password: first });
  await page.click("#add_passkey");
  await page.waitForSelector("#codes");
  const codes = (await page.locator("#codes li").allInnerTexts()).map((s) => s.trim());
  check(codes.length === 10 && new Set(codes).size === 10, "there are ten recovery codes");
  await see(page, "recovery-codes");

  // The phone is gone, and with it the passkey; the password is forgotten.
  await phone.lose();
  const other = await open(browser, { viewport: { width: 390, height: 800 } });
  await other.goto(account);
  await other.click("#recover");
  await other.fill("#name", "grace");
  await other.click("#go_on");
  await other.fill("#code", code(await letter(/\b\d{4} ?\d{4}\b/)));
  await other.click("#go_on");
  await other.waitForSelector("#factor");
  await see(other, "recover");
  check(!(await other.isVisible("#set_password")), "a code by mail alone recovers nothing");
  await other.fill("#factor", codes[0]);
  await other.click("#check_factor");
  await other.fill("#password", second);
  if (await other.isVisible("#lost")) await other.check("#lost");
  await other.click("#set_password");
  await other.waitForLoadState();
  await see(other, "recovered");
  check((await other.context().cookies()).every((c) => c.name !== "__Host-sallyport"), "recovering signs nobody in");
  await letter(/password/i);
  check(true, "and its owner is told");

  await page.goto(account);
  check(/\/login/.test(page.url()), "whoever was signed in before is not any more");
  await other.goto(account);
  await signIn(other, { username: "grace", password: first });
  check(await other.isVisible("#problem"), "the old password is worth nothing");
  await enter(other, second, codes[1]);
  check(other.url() === account, "the new one is, with what is left of the rest");

  // A second place, which is seen from the first and ended.
  const third = await open(browser, {});
  await third.goto(account);
  await enter(third, second, codes[2]);
  await third.waitForURL(account);
  await other.goto(`${account}/sessions`);
  const places = await other.locator("#sessions > li").count();
  check(places === 2, `both places are listed, ${places}`);
  await see(other, "sessions");
  await other.click("#end_others");
  await other.waitForLoadState();
  await enter(other, second, codes[3]); // for that
  await other.waitForURL(/\/account\/sessions/);
  await other.click("#end_others");
  await other.waitForSelector("#notice");
  await third.goto(account);
  check(/\/login/.test(third.url()), "what was ended is signed out at once");
  await other.goto(`${account}/events`);
  check((await other.locator("main li").count()) > 3, "what has happened is there to be read");
  await see(other, "events");

  // And leaving.
  await other.goto(`${account}/data`);
  await enter(other, second, codes[4]);
  await other.waitForURL(/\/account\/data/);
  await other.fill("#confirm", "grace");
  await other.click("#delete");
  await other.waitForLoadState();
  await shoot(other, "life-deleted");
  await other.goto(account);
  await signIn(other, { username: "grace", password: second });
  check(await other.isVisible("#problem"), "a deleted account is nobody's");
  for (const p of [page, other, third]) check(p.troubles.length === 0, p.troubles.join("; ") || "nothing was stopped or failed unseen");
  await browser.close();
});
