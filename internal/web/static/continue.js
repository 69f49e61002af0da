// On the page that signs apps out in frames: the load event comes when every
// frame has loaded. Without this script the Refresh header goes on, a little later.
"use strict";
addEventListener("load", function () {
  var link = document.getElementById("continue");
  if (link) location.replace(link.href);
});
