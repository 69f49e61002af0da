// The pages of a browser app: sign in, sign out, call APIs. There is no token here.
const at = "/bff/", mark = { "X-Sallyport-Csrf": "1" };

// Goes to sign in and comes back to the same place.
export const login = (more = {}) => location.assign(at + "login?" + new URLSearchParams({ return_to: location.pathname + location.search + location.hash, ...more }));

// Who is signed in: {name, …}, or null.
export const session = async () => {
  const r = await fetch(at + "session", { headers: mark, cache: "no-store" });
  if (!r.ok) throw new Error("session: " + r.status);
  const s = await r.json();
  return s.signed_in ? s.claims : null;
};

// Signs out here and at the issuer.
export const logout = async (then = "/") => {
  const r = await fetch(at + "logout", { method: "POST", headers: mark });
  if (!r.ok) throw new Error("logout: " + r.status);
  location.replace(then);
};

// What happens when an API wants a sign-in, or a stronger one. Replace it to ask first.
export const on = { signedOut: login };

// fetch for the APIs of this origin.
export const call = async (url, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("X-Sallyport-Csrf", "1");
  const r = await fetch(url, { ...init, headers, credentials: "same-origin" });
  if (r.status == 401) {
    const asks = r.headers.get("WWW-Authenticate") || "", more = {};
    for (const name of ["acr_values", "max_age"]) {
      const m = asks.match(name + '="([^"]+)"');
      if (m) more[name] = m[1];
    }
    on.signedOut(more);
  }
  return r;
};
