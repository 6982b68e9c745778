/* Behaviour every page has: dialogs, copying, times, uploads, live regions, tooltips. No eval, no inline handlers (CSP). */
(function () {
  "use strict";

  function text(name) {
    return document.body.dataset["text" + name] || "";
  }

  // --- short notices at the foot of the page -------------------------------------------------------------------
  function notice(words, tone) {
    var area = document.getElementById("notices");
    if (!area || !words) return null;
    var box = document.createElement("div");
    box.className = "notice" + (tone ? " notice-" + tone : "");
    box.textContent = words;
    area.append(box);
    if (!tone) window.setTimeout(function () { box.remove(); }, 2500);
    return box;
  }

  // --- clicks: dialogs and copying ------------------------------------------------------------------------------
  function copyByHand(words) {
    // navigator.clipboard is missing on plain-HTTP intranet addresses
    var area = document.createElement("textarea");
    area.value = words;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("copy refused"));
  }

  function copy(words) {
    var write = navigator.clipboard
      ? navigator.clipboard.writeText(words).catch(function () { return copyByHand(words); })
      : copyByHand(words);
    write.then(
      function () { notice(text("Copied")); },
      function () { notice(text("Failed")); }
    );
  }

  document.addEventListener("click", function (event) {
    var opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      var dialog = document.getElementById(opener.dataset.dialogOpen);
      if (dialog) dialog.showModal();
      return;
    }
    var closer = event.target.closest("[data-dialog-close]");
    if (closer) {
      closer.closest("dialog").close();
      return;
    }
    var copier = event.target.closest("[data-copy]");
    if (copier) copy(copier.dataset.copy);
  });

  // A dangerous dialog may ask for a word to be typed first.
  document.addEventListener("input", function (event) {
    var wanted = event.target.dataset.confirmWord;
    if (wanted === undefined) return;
    var button = event.target.form.querySelector("[data-confirm-button]");
    button.disabled = event.target.value.trim() !== wanted;
  });

  // One click, one POST: a second submit of the same plain form is dropped until the page answers.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.method !== "post" || form.matches("[hx-post], [data-upload]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
    } else {
      form.dataset.sent = "yes";
    }
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });

  // --- times -----------------------------------------------------------------------------------------------------
  var UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
  var relative = new Intl.RelativeTimeFormat(document.documentElement.lang || "zh-CN", { numeric: "auto" });

  function showTimes(root) {
    root.querySelectorAll("time[data-relative]").forEach(function (element) {
      var seconds = (Date.parse(element.dateTime) - Date.now()) / 1000;
      if (Number.isNaN(seconds) || Math.abs(seconds) > 7 * 86400) return; // older ones stay absolute
      var unit = UNITS.find(function (pair) { return Math.abs(seconds) >= pair[1]; });
      element.textContent = unit
        ? relative.format(Math.trunc(seconds / unit[1]), unit[0])
        : relative.format(0, "second");
    });
  }
  window.setInterval(function () { showTimes(document); }, 30000);

  // --- file fields and uploads with progress ------------------------------------------------------------------------
  function showFile(input) {
    var zone = input.closest("[data-drop-zone]");
    if (!zone) return;
    var words = zone.querySelector("[data-drop-name]");
    var names = Array.from(input.files, function (file) { return file.name; });
    words.textContent = names.join("、") || words.dataset.empty;
    zone.classList.toggle("chosen", names.length > 0);
  }

  document.addEventListener("change", function (event) {
    if (event.target.type === "file") showFile(event.target);
  });
  ["dragover", "dragleave", "drop"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      var zone = event.target.closest && event.target.closest("[data-drop-zone]");
      if (zone) zone.classList.toggle("over", name === "dragover");
    });
  });

  document.addEventListener("htmx:beforeRequest", function (event) {
    var form = event.detail.elt;
    if (form.matches("[data-upload]")) form.classList.add("uploading");
    // A hidden tab doesn't poll; it catches up when it is shown.
    if (form.matches("[data-live]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:xhr:progress", function (event) {
    var bar = event.target.closest("[data-upload]") && event.target.querySelector("progress");
    if (bar && event.detail.lengthComputable && event.detail.total) {
      bar.value = (100 * event.detail.loaded) / event.detail.total;
    }
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.elt.matches("[data-upload]")) event.detail.elt.classList.remove("uploading");
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) document.dispatchEvent(new CustomEvent("hongyan:visible"));
  });

  // --- htmx answers ---------------------------------------------------------------------------------------------------
  var lost = null; // the notice shown while a live region cannot reach the server

  function path(address) {
    return new URL(address, window.location.href).pathname;
  }

  document.addEventListener("htmx:beforeSwap", function (event) {
    var detail = event.detail;
    var answered = detail.xhr.responseURL;
    // The server redirected: to the sign-in page of an ended session, or on after an upload. Go there whole.
    if (answered && path(answered) !== path(detail.pathInfo.requestPath)) {
      detail.shouldSwap = false;
      window.location.assign(answered);
      return;
    }
    if (detail.xhr.status === 422) {
      detail.shouldSwap = true; // a form with its errors
      detail.isError = false;
    }
  });
  ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
    document.addEventListener(name, function (event) {
      if (!event.detail.elt.matches("[data-live]")) notice(text("Failed"));
      else if (!lost) lost = notice(text("Lost"), "warning");
    });
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    if (lost) {
      lost.remove();
      lost = null;
    }
    prepare(event.detail.elt.isConnected ? event.detail.elt : document);
  });
  document.addEventListener("htmx:beforeCleanupElement", function (event) {
    var tip = window.bootstrap && window.bootstrap.Tooltip.getInstance(event.target);
    if (tip) tip.dispose();
  });

  // --- every piece of page that arrives ---------------------------------------------------------------------------------
  function prepare(root) {
    showTimes(root);
    if (!window.bootstrap) return;
    root.querySelectorAll('[data-bs-toggle="tooltip"]').forEach(function (element) {
      window.bootstrap.Tooltip.getOrCreateInstance(element);
    });
  }

  window.hongyan = { notice: notice, copy: copy };
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", function () { prepare(document); });
  } else {
    prepare(document);
  }
})();
