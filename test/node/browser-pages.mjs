// Every page of the issuer as it was rendered into a folder for each language: it
// fits, axe-core finds nothing, and there is a picture of it in each look.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { accessible, fits, launch, open, shoot } from "./browser.mjs";
import { check, run, settings } from "./flow.mjs";

const wide = { viewport: { width: 1280, height: 800 } };
// The longest words are German: they meet the narrowest screen, which is also what
// 1280 px become at 400 % (WCAG 2.2 §1.4.10). All rules are held once; what a look
// can change is held in that look. Those that add nothing wait for make pictures.
const looks = [
  { name: "light", language: "en", options: wide },
  { name: "narrow", language: "de", options: { viewport: { width: 320, height: 640 } }, rules: ["target-size", "label-content-name-mismatch"] },
  { name: "rtl-phone-dark", language: "ar", options: { viewport: { width: 390, height: 844 }, colorScheme: "dark" }, rules: ["color-contrast", "target-size", "link-in-text-block"] },
  { name: "dark", language: "en", options: { ...wide, colorScheme: "dark" }, picturesOnly: true },
  { name: "phone", language: "en", options: { viewport: { width: 390, height: 844 } }, picturesOnly: true },
  { name: "rtl", language: "ar", options: wide, picturesOnly: true },
];
const pictures = process.env.SALLYPORT_PICTURES === "yes";

async function see(page, folder, look) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".html")).sort()) {
    const name = `${look.name}-${file.slice(0, -".html".length)}`;
    await page.goto(pathToFileURL(join(folder, file)).href);
    if (pictures) await shoot(page, name);
    await fits(page, name);
    await accessible(page, name, look.rules);
  }
}

await run(async () => {
  const browser = await launch();
  const chosen = looks.filter((look) => pictures || !look.picturesOnly);
  await Promise.all(chosen.map(async (look) => {
    const page = await open(browser, look.options);
    // The pages' own scripts talk to the issuer, which is not there.
    await page.route(/\.js$/, (route) => route.abort());
    await see(page, join(settings.pages, look.language), look);
    await page.context().close();
  }));
  check(true, "every page was seen");
  await browser.close();
});
