/* The template editor: inserts merge fields where the cursor was, and shows what is written in the frame beside it. */
(function () {
  "use strict";

  var form = document.getElementById("editor");
  if (!form) return;
  var last = form.querySelector("[data-editor][name=html]");
  var waiting = 0;

  // form.submit() asks no submit listener: the page stays, and the frame gets the answer.
  function show() {
    window.clearTimeout(waiting);
    var frame = form.querySelector("iframe");
    var fresh = frame.cloneNode(false); // a new frame adds no entry to the browser's history
    frame.replaceWith(fresh);
    var action = form.getAttribute("action");
    form.setAttribute("action", form.dataset.previewUrl);
    form.target = form.dataset.previewFrame;
    form.submit();
    form.removeAttribute("target");
    if (action === null) form.removeAttribute("action");
    else form.setAttribute("action", action);
  }

  function soon() {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(show, 700);
  }

  form.addEventListener("focusin", function (event) {
    if (event.target.matches("[data-editor]")) last = event.target;
  });
  form.addEventListener("input", soon);
  form.addEventListener("click", function (event) {
    if (event.target.closest("[data-preview-now]")) show();
    var field = event.target.closest("[data-insert]");
    if (!field || !last) return;
    last.setRangeText(field.dataset.insert, last.selectionStart, last.selectionEnd, "end");
    last.focus();
    soon();
  });
  show();
})();
