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
