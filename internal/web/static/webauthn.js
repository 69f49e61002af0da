// Passkeys (WebAuthn): asks the browser for what the form says and sends the
// answer as that form. It writes no markup, calls nobody and needs nothing else.
// Without it, or where passkeys are not supported, the form stays hidden.
"use strict";
(function () {
  var form = document.getElementById("passkey_form");
  var api = navigator.credentials, kind = window.PublicKeyCredential;
  if (!form || !api || !api.get || !kind) return;
  var data = form.dataset, creates = data.passkey === "create";
  var asked = null, old = false, signs = false;

  function bytes(text) {
    return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), function (c) { return c.charCodeAt(0); });
  }
  function text(buffer) {
    if (!buffer) return undefined;
    var s = "";
    new Uint8Array(buffer).forEach(function (b) { s += String.fromCharCode(b); });
    return btoa(s).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function options() {
    var o = JSON.parse(data.options);
    o.challenge = bytes(o.challenge);
    if (o.user) o.user.id = bytes(o.user.id);
    (o.allowCredentials || []).concat(o.excludeCredentials || []).forEach(function (c) { c.id = bytes(c.id); });
    return o;
  }
  function answer(c) {
    var r = c.response, out = { clientDataJSON: text(r.clientDataJSON) };
    if (creates) {
      out.attestationObject = text(r.attestationObject);
      out.transports = r.getTransports ? r.getTransports() : [];
    } else {
      out.authenticatorData = text(r.authenticatorData);
      out.signature = text(r.signature);
      out.userHandle = text(r.userHandle);
    }
    return JSON.stringify({ id: c.id, rawId: text(c.rawId), type: c.type, response: out });
  }
  function say(what) {
    var p = document.getElementById("passkey_problem");
    p.textContent = what ? data[what] : "";
    p.hidden = !what;
  }
  function value(id) {
    var e = document.getElementById(id);
    return e ? e.value : "";
  }
  // The challenge is too old. A new page has another; nothing that was typed is lost.
  function renew() {
    if (old && !value("password")) location.replace(data.fresh);
  }

  async function ask(quietly) {
    if (asked) asked.abort();
    var mine = asked = new AbortController();
    var request = { publicKey: options(), signal: mine.signal };
    if (quietly) request.mediation = "conditional";
    try {
      var c = await (creates ? api.create(request) : api.get(request));
      var keep = document.getElementById("keep");
      if (form.elements.keep && keep) form.elements.keep.value = keep.checked ? "yes" : "";
      form.elements.response.value = answer(c);
      form.submit();
    } catch (e) {
      if (mine !== asked) return;
      asked = null;
      if (quietly) return;
      say(e.name === "InvalidStateError" ? "exists" : e.name === "NotAllowedError" || e.name === "AbortError" ? "cancelled" : "failed");
      if (signs) ask(true);
    }
  }

  form.addEventListener("submit", function (e) {
    e.preventDefault();
    if (old) return location.replace(data.fresh);
    say("");
    ask(false);
  });
  setTimeout(function () {
    old = true;
    if (asked && signs) asked.abort();
    if (document.hidden) renew();
  }, 270000);
  document.addEventListener("visibilitychange", renew);

  ["passkey_ways", "passkey_form"].forEach(function (id) {
    var e = document.getElementById(id);
    if (e) e.hidden = false;
  });
  var without = document.getElementById("passkey_without");
  if (without) without.hidden = true;

  if (data.accepted && kind.signalAllAcceptedCredentials) kind.signalAllAcceptedCredentials(JSON.parse(data.accepted)).catch(function () {});
  if (data.autofill && kind.isConditionalMediationAvailable) {
    kind.isConditionalMediationAvailable().then(function (yes) {
      signs = yes;
      if (yes && !asked) ask(true);
    });
  }
})();
