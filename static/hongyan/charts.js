/* Draws every <canvas data-chart> from the JSON beside it ({% chart %}); colours follow the theme. */
(function () {
  "use strict";
  var drawn = new Map();
  var PALETTE = ["--tone-scheduled", "--tone-deferred", "--tone-in-doubt", "--tone-accepted", "--tone-refused"];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function seriesColour(series, index) {
    return colour(series.state ? "--tone-" + series.state.replace("_", "-") : PALETTE[index % PALETTE.length]);
  }

  function dataset(kind, series, index) {
    var tone = kind === "doughnut" && series.states
      ? series.states.map(function (state) { return seriesColour({ state: state }, 0); })
      : seriesColour(series, index);
    return {
      label: series.label,
      data: series.values,
      borderColor: kind === "doughnut" ? colour("--surface") : tone,
      backgroundColor: tone,
      borderWidth: kind === "line" ? 2 : kind === "doughnut" ? 2 : 0,
      borderRadius: kind === "line" ? 0 : 3,
      pointRadius: 0,
      pointHitRadius: 12,
      tension: 0.3,
      maxBarThickness: 36,
    };
  }

  function axes(kind) {
    if (kind === "doughnut") return {};
    var stacked = kind === "stacked";
    var line = { color: colour("--line") };
    var ticks = { color: colour("--ink-soft"), precision: 0, maxRotation: 0 };
    var plain = { stacked: stacked, grid: { display: false }, border: line, ticks: ticks };
    var ruled = { stacked: stacked, beginAtZero: true, grid: line, border: { display: false }, ticks: ticks };
    return kind === "horizontal" ? { x: ruled, y: plain } : { x: plain, y: ruled };
  }

  function configuration(kind, data) {
    return {
      type: kind === "line" || kind === "doughnut" ? kind : "bar",
      data: {
        labels: data.labels,
        datasets: data.series.map(function (series, index) { return dataset(kind, series, index); }),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        indexAxis: kind === "horizontal" ? "y" : "x",
        interaction: { mode: kind === "doughnut" ? "nearest" : "index", intersect: kind === "doughnut" },
        cutout: "68%",
        scales: axes(kind),
        plugins: {
          legend: {
            display: data.series.length > 1 || kind === "doughnut",
            position: kind === "doughnut" ? "right" : "bottom",
            labels: { color: colour("--ink-soft"), usePointStyle: true, boxHeight: 7 },
          },
        },
      },
    };
  }

  function draw(canvas) {
    var source = document.getElementById(canvas.dataset.source);
    if (!source) return;
    var old = drawn.get(canvas);
    if (old) old.destroy();
    drawn.set(canvas, new window.Chart(canvas, configuration(canvas.dataset.chart, JSON.parse(source.textContent))));
  }

  function drawAll() {
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    drawn.forEach(function (chart, canvas) {
      if (!canvas.isConnected) {
        chart.destroy();
        drawn.delete(canvas);
      }
    });
    document.querySelectorAll("canvas[data-chart]").forEach(draw);
  }

  document.addEventListener("hongyan:theme", drawAll);
  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.elt.isConnected && !event.detail.elt.querySelector("canvas[data-chart]")) return;
    drawAll();
  });
  document.addEventListener("DOMContentLoaded", drawAll);
})();
