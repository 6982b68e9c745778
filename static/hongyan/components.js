/* Alpine components (CSP build: a template may only name what is registered here). Loaded before Alpine itself. */
document.addEventListener("alpine:init", function () {
  "use strict";
  var Alpine = window.Alpine;

  // The theme buttons of the user menu: x-data="theme", each button with data-choice and x-on:click="choose".
  Alpine.data("theme", function () {
    return {
      choose: function () {
        window.hongyanTheme.choose(this.$el.dataset.choice);
      },
    };
  });

  // A secret's eye: the field is a password until its owner looks.
  Alpine.data("reveal", function () {
    return {
      shown: false,
      get hidden() { return !this.shown; },
      toggle: function () {
        this.shown = !this.shown;
        this.$root.querySelector("input").type = this.shown ? "text" : "password";
      },
    };
  });

  // Something that opens and closes: x-data="disclosure", x-on:click="toggle", x-show="open".
  Alpine.data("disclosure", function () {
    return {
      open: false,
      get closed() { return !this.open; },
      toggle: function () { this.open = !this.open; },
      close: function () { this.open = false; },
    };
  });

  // Rows with checkboxes: x-data="selection" on the form; x-on:change="all" on the head's box, "count" on each row's.
  Alpine.data("selection", function () {
    return {
      chosen: 0,
      get none() { return this.chosen === 0; },
      boxes: function () { return Array.from(this.$root.querySelectorAll("[data-select-row]")); },
      all: function () {
        var on = this.$el.checked;
        this.boxes().forEach(function (box) { box.checked = on; });
        this.count();
      },
      count: function () {
        this.chosen = this.boxes().filter(function (box) { return box.checked; }).length;
      },
    };
  });

  // A sheet whose rows are chosen: x-data="sheet" on the form; on the body x-on:click="pick" and x-on:keydown="step"; each
  // row's box data-select-row and x-on:change="count". A click anywhere in a row chooses it, with Shift all up to it.
  Alpine.data("sheet", function () {
    return {
      chosen: 0,
      last: null,
      get none() { return this.chosen === 0; },
      boxes: function () { return Array.from(this.$root.querySelectorAll("[data-select-row]")); },
      pick: function (event) {
        var row = event.target.closest("tr");
        var box = row && row.querySelector("[data-select-row]");
        if (!box) return;
        var own = event.target.closest("label, input");
        if (!own) box.checked = !box.checked;
        if (event.target.closest("label") && event.target !== box) return; // the box's own click follows
        if (event.shiftKey && this.last) {
          var boxes = this.boxes(), ends = [boxes.indexOf(this.last), boxes.indexOf(box)].sort(function (a, b) { return a - b; });
          boxes.slice(ends[0], ends[1] + 1).forEach(function (each) { each.checked = box.checked; });
        }
        this.last = box;
        this.count();
      },
      step: function (event) {
        var way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!way || !event.target.matches("[data-select-row]")) return;
        var boxes = this.boxes(), next = boxes[boxes.indexOf(event.target) + way];
        if (next) {
          event.preventDefault();
          next.focus();
        }
      },
      count: function () {
        var boxes = this.boxes();
        boxes.forEach(function (box) { box.closest("tr").classList.toggle("chosen", box.checked); });
        this.chosen = boxes.filter(function (box) { return box.checked; }).length;
      },
    };
  });

  // A phrase marked in a text goes into the form's field: x-data="phrase", the text x-on:mouseup="take".
  Alpine.data("phrase", function () {
    return {
      take: function () {
        var marked = String(window.getSelection()).replace(/\s+/g, " ").trim();
        if (marked) this.$root.querySelector("[name=phrase]").value = marked.slice(0, 200);
      },
    };
  });

  // Parts of a form that depend on a choice: x-data="choice" data-initial="now"; inputs x-on:change="pick";
  // parts x-bind="part" with data-for="later".
  Alpine.data("choice", function () {
    return {
      value: "",
      init: function () { this.value = this.$root.dataset.initial || ""; },
      pick: function () { this.value = this.$el.value; },
      part: {
        "x-show": function () { return this.$el.dataset.for.split(" ").includes(this.value); },
      },
    };
  });
});
