import { call, login, logout, session, on } from "/bff/bff.js";

const get = (id) => document.getElementById(id);
const bodies = { PUT: JSON.stringify({ name: "lamp", price: 42 }) };

async function show() {
  const who = await session();
  get("who").textContent = who ? "Signed in as " + (who.name || who.sub) : "Nobody is signed in.";
  get("login").hidden = who !== null;
  get("logout").hidden = get("calls").hidden = who === null;
  if (!who) get("result").hidden = true;
  document.body.dataset.state = who ? "in" : "out";
}

on.signedOut = (more) => (Object.keys(more).length ? login(more) : show());
get("login").onclick = () => login();
get("logout").onclick = () => logout("/");
for (const button of document.querySelectorAll("[data-call]")) {
  button.onclick = async () => {
    const [method, path] = button.dataset.call.split(" ");
    const r = await call(path, { method, body: bodies[method], headers: bodies[method] ? { "Content-Type": "application/json" } : {} });
    const out = get("result");
    out.textContent = method + " " + path + "\n\n" + r.status + "\n" + (await r.text());
    out.hidden = false;
  };
}

// Back from another page, or from the memory of the browser: somebody may have signed out.
window.addEventListener("pageshow", show);
