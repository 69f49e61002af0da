// The pages on which people decide what was asked elsewhere, by a device or by a
// client alone: with and without JavaScript, wide, on a phone and in the dark.
import { accessible, fits, launch, open, shoot, signIn } from "./browser.mjs";
import { ask, check, run, settings } from "./flow.mjs";

const { issuer, username, password } = settings;
const looks = {
  wide: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  plain: { javaScriptEnabled: false },
};

await run(async () => {
  const browser = await launch();
  for (const [look, options] of Object.entries(looks)) {
    const page = await open(browser, options);
    const see = async (name) => {
      await shoot(page, `elsewhere-${look}-${name}`);
      if (look === "plain") return; // nothing can be measured there
      await fits(page, `${look} ${name}`);
      await accessible(page, `${look} ${name}`);
    };
    await page.goto(`${issuer}/device`);
    await see("device");
    await page.fill("#user_code", "BBBB-BBBB");
    await page.click("#continue");
    check(await page.isVisible("#problem"), `${look}: a wrong code is said to be wrong`);
    await see("device-wrong");

    const device = await ask({ device: "" });
    await page.goto(device.verification_uri_complete);
    check((await page.inputValue("#user_code")) === device.user_code, `${look}: the address fills in the code`);
    await page.click("#continue");
    await signIn(page, { username, password });
    check((await page.textContent("#user_code")).trim() === device.user_code, `${look}: the code can be compared`);
    await see("device-compare");
    await page.click("#allow");
    await page.waitForSelector("#done");
    await see("device-done");
    check((await ask({ poll: device.device_code })).status === "200", `${look}: the device gets its tokens`);

    const request = await ask({ ciba: "" });
    await page.goto(`${issuer}/ciba`);
    await see("ciba-list");
    await page.click(".waiting a");
    check((await page.textContent("#binding_message")).trim() === request.message, `${look}: the message can be compared`);
    await see("ciba-compare");
    await page.click("#deny");
    await page.waitForSelector("#done");
    await see("ciba-denied");
    check((await ask({ poll: request.auth_req_id })).error === "access_denied", `${look}: the client learns that it was refused`);
    await page.goto(`${issuer}/ciba`);
    check(await page.isVisible("#nothing"), `${look}: nothing waits any more`);
    await see("ciba-nothing");
    check(page.troubles.length === 0, page.troubles.join("; ") || `no script or policy error in ${look}`);
    await page.context().close();
  }
  await browser.close();
});
