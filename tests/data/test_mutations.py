"""Tables damaged at random are read or refused in words; the same damage in every run."""

import random

import pytest

from benchmarks.mutations import accident, mutated
from tests.site import CONFIG, readings

FORMS = {
    "plain": (CONFIG, "\n".join(readings(150)) + "\n"),
    "dropping": (
        CONFIG.replace("  targets:", "  bad_rows: drop\n  targets:"),
        "\n".join(readings(150)) + "\n",
    ),
    "semicolons": (
        CONFIG.replace(
            "  series:", '  csv: {separator: ";", decimal: ",", units: kW}\n  series:'
        ).replace("{past: [wind]}", "{past: [wind]}\n  categories: [wind]"),
        "\n".join(
            line.replace(".", "_").replace(",", ";").replace("_", ",") for line in readings(150)
        ),
    ),
    "local": (
        CONFIG.replace("timezone: UTC", "timezone: Europe/Berlin"),
        "\n".join(
            line.replace("2024-01-0", "2024-03-3").replace("Z", "")
            for line in readings(48, ("a", "b"))
            if "2024-01-02" not in line
        ),
    ),
    "blanks": (
        CONFIG.replace("  series:", "  csv: {separator: whitespace}\n  series:"),
        "\n".join(readings(150)).replace(",", "  "),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_damage_is_a_fault_of_the_program(form, tmp_path):
    config, table = FORMS[form]
    path = tmp_path / "run.yaml"
    path.write_text(config, encoding="utf-8")
    for run in range(30):
        chance = random.Random(f"{form}:{run}")
        found = accident(path, mutated(table.encode(), chance))
        assert not found, f"run {run}\n{found}"
