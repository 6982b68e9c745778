"""What a template may cost: time, memory and the size of what it writes."""

import subprocess
import sys

import pytest

from campaigns.mailer.template import Cell, Renderer, RenderError, RenderLimits
from tests.mailer.test_template import rendered, template


class TestLimits:
    def test_the_output_is_bounded_before_anything_is_rendered(self):
        nested = template(
            "{% for a in cells %}{% for b in cells %}" + "x" * 5000 + "{% endfor %}{% endfor %}"
        )
        with pytest.raises(RenderError) as error:
            Renderer(nested).render({}, rows=[Cell(str(n), "v") for n in range(300)])
        assert error.value.kind == "too_large"

    def test_many_mentions_of_a_large_value_are_refused(self):
        with pytest.raises(RenderError) as error:
            rendered("{{ a ~ a }}" * 5000, {"a": "x" * 32_000})
        assert error.value.kind == "too_large"

    def test_a_value_longer_than_an_excel_cell_is_refused(self):
        with pytest.raises(RenderError):
            rendered("{{ a }}", {"a": "x" * 32_768})

    def test_a_loop_that_takes_too_many_steps_is_stopped(self):
        deep = template(
            "{% for a in cells %}{% for b in cells %}{{ a.value }}{% endfor %}{% endfor %}"
        )
        with pytest.raises(RenderError) as error:
            Renderer(deep, RenderLimits(fuel=1000)).render(
                {}, rows=[Cell(str(n), "") for n in range(50)]
            )
        assert error.value.kind == "too_large"

    def test_a_large_but_honest_payslip_passes(self):
        html = "{% for c in cells %}<tr><td>{{ c.label }}</td><td>{{ c.value }}</td></tr>{% endfor %}{{ 备注 }}"
        rows = [Cell(f"应发项目/第{number}项", "12,345.67") for number in range(200)]
        assert "第199项" in rendered(html, {"备注": "说明" * 1500}, rows).html

    def test_the_worst_template_grows_the_process_by_less_than_20_mb(self):
        # String doubling (set in a loop) can't be written at all; this is the most that still passes the bound.
        code = """
import resource
from campaigns.mailer.template import Cell, Renderer, RenderError, TemplateSource
source = TemplateSource("s", "{% for a in cells %}{% for b in cells %}{{ a.value ~ b.value ~ a.name }}{% endfor %}{% endfor %}", "t")
renderer = Renderer(source)
renderer.render({}, rows=[Cell("n", "v")])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = 0
for size in (10, 50, 100, 200, 400):
    for length in (1, 10, 100, 1000, 30000):
        try:
            renderer.render({"a": "<" * length}, rows=[Cell(str(n), "<" * length) for n in range(size)])
        except RenderError as error:
            refused += error.kind == "too_large"
assert refused
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        # ru_maxrss is in kilobytes, on a Mac in bytes.
        assert int(done.stdout) < 20 * (1024 * 1024 if sys.platform == "darwin" else 1024)
