/* Runs before the first paint: light or dark from the person's choice, else from the system. */
(function () {
  "use strict";
  var KEY = "hongyan-theme";
  var system = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return window.localStorage.getItem(KEY) || "auto";
    } catch (error) {
      return "auto"; // storage may be blocked
    }
  }

  function apply() {
    var choice = chosen();
    var theme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
    document.documentElement.setAttribute("data-bs-theme", theme);
    document.documentElement.setAttribute("data-theme-choice", choice);
    document.dispatchEvent(new CustomEvent("hongyan:theme", { detail: theme }));
  }

  window.hongyanTheme = {
    choose: function (choice) {
      try {
        window.localStorage.setItem(KEY, choice);
      } catch (error) {
        // without storage the choice lasts for this page
      }
      apply();
    },
  };
  system.addEventListener("change", apply);
  apply();
})();
