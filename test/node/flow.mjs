// What the scripts share: their settings arrive as one JSON argument, and the
// person who signs in is played by the test that started them. Each question
// is a line on stdout, each answer a line on stdin.
import { createInterface } from "node:readline";

export const settings = JSON.parse(process.argv[2]);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// ask sends a question to the test and waits for its answer.
export async function ask(question) {
  process.stdout.write(JSON.stringify(question) + "\n");
  const { value, done } = await answers.next();
  if (done) throw new Error("the test went away");
  return JSON.parse(value);
}

// authorize lets the person sign in and agree; returns where the browser landed.
export const authorize = async (url) => new URL((await ask({ authorize: String(url) })).landed);

// logout lets the browser of the person open a logout address.
export const logout = async (url) => (await ask({ logout: String(url) })).status;

export function check(ok, what) {
  if (!ok) throw new Error(what);
  process.stdout.write(JSON.stringify({ passed: what }) + "\n");
}

export async function run(main) {
  try {
    await main();
    process.exit(0);
  } catch (err) {
    console.error(err, err?.cause ?? "");
    process.exit(1);
  }
}
