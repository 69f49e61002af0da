// Passkeys in a real browser, with the virtual authenticator of the DevTools
// protocol: made on the account page, used by autofill, by the button and as a
// second factor, and removed.
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const { issuer, username, password } = settings;
const passkeys = `${issuer}/account/security/passkeys`;

async function see(page, name) {
  await shoot(page, `passkeys-${name}`);
  await fits(page, name);
  await accessible(page, name);
}

await run(async () => {
  const browser = await launch();
  const page = await open(browser, { viewport: { width: 1000, height: 800 } });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true,
      hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  const credentials = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  const signOut = async () => {
    await page.goto(`${issuer}/oauth/logout`);
    await page.click("#confirm");
    await page.waitForLoadState();
  };
  const arrived = (what) => page.waitForSelector("#list").then(() => check(true, what));

  await page.goto(passkeys);
  check(await page.isVisible("#passkey"), "the sign-in page offers a passkey");
  check((await page.getAttribute("#username", "autocomplete")) === "username webauthn", "and by autofill");
  await see(page, "login");
  await signIn(page, { username, password });
  await arrived("whoever has signed in with a password may add a passkey");
  check(await page.isVisible("#none"), "there is none yet");
  const name = await page.inputValue("#name");
  check(/Chrom.* on Linux, \d+ \w+/.test(name), `it would be called "${name}"`);
  await see(page, "none");

  await page.click("#add_passkey");
  await page.waitForSelector("#codes");
  await page.goto(passkeys);
  const [made] = await credentials();
  check(made?.isResidentCredential && made.rpId === new URL(issuer).hostname, "the passkey is discoverable, for this host");
  check((await page.textContent("#name_0")).includes(name), "the page lists it");
  check(!Buffer.from(made.userHandle, "base64").toString("latin1").includes(username), "its user handle does not say who it is");
  await page.click("summary");
  await page.fill("#rename_0", "My laptop");
  await page.click('button[value="rename"]');
  await page.waitForSelector("#done");
  check((await page.textContent("#name_0")).includes("My laptop"), "it has another name");
  await see(page, "one");

  await page.click("#add_passkey");
  await page.waitForSelector("#passkey_problem:not([hidden])");
  check((await credentials()).length === 1, "a device makes no second passkey for one account");

  await signOut();
  await page.goto(passkeys);
  await arrived("autofill signs in without a password");
  const counted = (await credentials())[0].signCount;
  check(counted > made.signCount, "by a signature");

  // From here on the browser has no autofill of passkeys, as an older one.
  await page.addInitScript(() => {
    globalThis.PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  await signOut();
  await page.goto(passkeys);
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.click("#passkey");
  await page.waitForSelector("#passkey_problem:not([hidden])");
  check((await page.textContent("#passkey_problem")).length > 20, "without user verification nothing happens, and the page says so");
  await see(page, "login-cancelled");
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
  await page.click("#passkey");
  await arrived("the button signs in");

  await signOut();
  await page.goto(passkeys);
  await signIn(page, { username, password });
  await page.waitForURL(/\/login\/second/);
  check(await page.isVisible("#passkey"), "after the password, the passkey is asked for");
  await see(page, "second");
  await page.click("#passkey");
  await arrived("and completes the sign-in");

  await page.click('button[value="remove"]');
  await page.waitForSelector("#done");
  check(await page.isVisible("#none"), "the passkey is removed");
  await see(page, "removed");
  // Whether the browser has forgotten it or not: it signs nobody in.
  for (const { credentialId } of await credentials()) await cdp.send("WebAuthn.removeCredential", { authenticatorId, credentialId });
  await cdp.send("WebAuthn.addCredential", { authenticatorId, credential: { ...made, signCount: counted + 10 } });
  await signOut();
  await page.goto(passkeys);
  await page.click("#passkey");
  await page.waitForSelector("#problem");
  check(page.url().endsWith("/login/passkey"), "a removed passkey signs nobody in");
  await see(page, "login-refused");
  check(page.troubles.length === 0, page.troubles.join("; ") || "no script or policy error");
  await browser.close();
});
