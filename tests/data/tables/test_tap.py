"""A reader that is left early is at rest before the interpreter ends."""

import io
import os
import subprocess
import sys
import threading
import time

from forecast.data.tables.tap import Tap
from tests.conftest import ROOT

SCRIPT = """
import sys, time
from forecast.config.data import Data
from forecast.data.tables import read_tables
from forecast.data.tables.streams import Headed
from forecast.errors import DataError

plain = Headed.read
def slow(self, size=-1):
    time.sleep(0.1)
    return plain(self, size)
Headed.read = slow
try:
    list(read_tables(Data(source=sys.argv[1], frequency="1h")))
except DataError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_process_that_refuses_a_large_file_ends_with_its_own_exit_code(tmp_path):
    table = b"ds,y\n2024-01-01,\xff\n" + b"2024-01-01 00:00,1.5\n" * 600_000
    (tmp_path / "t.csv").write_bytes(table)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "t.csv")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "not utf-8 text" in done.stdout


def test_a_shut_tap_gives_nothing_more_and_waits_for_the_read_in_progress():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            time.sleep(0.05)
            return super().read(size)

    tap, parts = Tap(Slow(b"0123456789" * 10)), []

    def read_on():
        while part := tap.read(10):
            parts.append(part)

    reader = threading.Thread(target=read_on)
    reader.start()
    while not parts:
        time.sleep(0.001)
    tap.close()
    reader.join(timeout=0.01)
    assert not reader.is_alive()
    assert 0 < len(parts) < 10
