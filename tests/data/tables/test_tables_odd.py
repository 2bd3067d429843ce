"""Odd and bad tables, as a list: what each holds, how it is read, what comes out or is said."""

import bz2
import gzip
import io
import lzma
import zipfile
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.config.data import Data
from forecast.data.tables import read_tables
from forecast.errors import ConfigError, DataError

NAN = None
PLAIN = "ds,y\n2020-01-01 00:00:00,1\n2020-01-01 01:00:00,2.5\n"
PLAIN_ROWS = [("series", "2020-01-01T00:00", 1), ("series", "2020-01-01T01:00", 2.5)]
BERLIN = {"timezone": "Europe/Berlin"}
GERMAN = {"separator": ";", "decimal": ","}


class Good(NamedTuple):
    """A table that is read: files, settings, and the readings it holds, in order."""

    name: str
    files: dict
    settings: dict
    rows: list
    rejected: int = 0


class Bad(NamedTuple):
    """A table that is refused: files, settings, and words of the message."""

    name: str
    files: dict
    settings: dict
    words: list
    kind: type = DataError


def zipped(**members):
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)
    return out.getvalue()


def parquet(**columns):
    """Return a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def zstd(text):
    """Return text compressed with Zstandard."""
    return pa.compress(text.encode(), codec="zstd", asbytes=True)


def csv(text, **settings):
    """Return the files and settings of one CSV table."""
    style = {
        key: settings.pop(key)
        for key in (
            "separator", "decimal", "thousands", "encoding", "skip_rows", "header", "columns", "quote",
        )
        if key in settings
    }  # fmt: skip
    raw = text if isinstance(text, bytes) else text.encode(style.get("encoding", "utf-8"))
    return {"t.csv": raw}, settings | ({"csv": style} if style else {})


def row(time, value, series="series"):
    """Return one expected reading."""
    return (series, time, value)


MIDNIGHT = "2020-01-01T00:00"
ONE = [row(MIDNIGHT, 1)]
STAMPS = pa.array([0, 3600], pa.timestamp("s"))

GOOD = [
    Good("plain", *csv(PLAIN), PLAIN_ROWS),
    Good("crlf", *csv(PLAIN.replace("\n", "\r\n")), PLAIN_ROWS),
    Good("no newline at the end", *csv(PLAIN.rstrip()), PLAIN_ROWS),
    Good("blank lines", *csv(PLAIN.replace("\n", "\n\n")), PLAIN_ROWS),
    Good("utf-8 mark", *csv(b"\xef\xbb\xbf" + PLAIN.encode()), PLAIN_ROWS),
    Good("utf-16 by its mark", *csv(PLAIN.encode("utf-16")), PLAIN_ROWS),
    Good("utf-16 stated", *csv(PLAIN, encoding="utf-16"), PLAIN_ROWS),
    Good("latin-1", *csv("ds,°C\n2020-01-01,1\n", encoding="latin-1", targets="°C"), ONE),
    Good("bad byte in header", *csv(b"ds,y,W/m\xb2\n2020-01-01,1,5\n"), ONE),
    Good("gz", {"t.csv.gz": gzip.compress(PLAIN.encode())}, {}, PLAIN_ROWS),
    Good("bz2", {"t.csv.bz2": bz2.compress(PLAIN.encode())}, {}, PLAIN_ROWS),
    Good("xz", {"t.csv.xz": lzma.compress(PLAIN.encode())}, {}, PLAIN_ROWS),
    Good("zip", {"t.zip": zipped(a_csv=PLAIN)}, {}, PLAIN_ROWS),
    Good("zstd", {"t.csv.zst": zstd(PLAIN)}, {}, PLAIN_ROWS),
    Good("gz under another name", {"t.csv": gzip.compress(PLAIN.encode())}, {}, PLAIN_ROWS),
    Good("semicolon and comma", *csv("ds;y\n2020-01-01;1,5\n", **GERMAN), [row(MIDNIGHT, 1.5)]),
    Good("tab", *csv("ds\ty\n2020-01-01\t1\n", separator="\t"), ONE),
    Good("pipe", *csv("ds|y\n2020-01-01|1\n", separator="|"), ONE),
    Good(
        "quoted decimal comma",
        *csv('ds,y\n2020-01-01,"2,6"\n', decimal=","),
        [row(MIDNIGHT, 2.6)],
    ),
    Good("quoted number", *csv('"ds","y"\n"2020-01-01","1"\n'), ONE),
    Good(
        "thousands",
        *csv("ds;y\n2020-01-01;1.234.567,5\n2020-01-02;12\n", **GERMAN, thousands="."),
        [row(MIDNIGHT, 1234567.5), row("2020-01-02T00:00", 12)],
    ),
    Good(
        "apostrophes", *csv("ds,y\n2020-01-01,1'000\n", thousands="'"), [row(MIDNIGHT, 1000)]
    ),
    Good("spaces around", *csv("ds , y\n 2020-01-01 , 1 \n"), ONE),
    Good("exponent and sign", *csv("ds,y\n2020-01-01,+1e0\n"), ONE),
    Good("lines above the header", *csv("logger 7\n\nds,y\n2020-01-01,1\n", skip_rows=2), ONE),
    Good("no header", *csv("2020-01-01,1\n", header=False, columns=["ds", "y"]), ONE),
    Good("header renamed", *csv("a,b\n2020-01-01,1\n", columns=["ds", "y"]), ONE),
    Good("trailing separators", *csv("ds;y\n2020-01-01;1;;\n", separator=";"), ONE),
    Good("trailing separators all over", *csv("ds;y;;\n2020-01-01;1;;\n", separator=";"), ONE),
    Good("text over several lines", *csv('ds,note,y\n2020-01-01,"a\nb, ""c""",1\n2020-01-02,d,2\n'),
        [*ONE, row("2020-01-02T00:00", 2)]),
    Good("header over two lines", *csv('ds,"y\n(m)"\n2020-01-01,1\n', targets="y\n(m)"), ONE),
    Good("index column without a name", *csv(",ds,y\n0,2020-01-01,1\n"), ONE),
    Good("empty rows at the end", *csv("ds,y\n2020-01-01,1\n,\n,\n"), ONE, rejected=2),
    Good("only a header above rows of nothing", *csv("ds,y\n,\n"), [], rejected=1),
    Good("empty cell", *csv("ds,y\n2020-01-01,\n"), [row(MIDNIGHT, NAN)]),
    Good("default markers", *csv("ds,y\n2020-01-01,NA\n"), [row(MIDNIGHT, NAN)]),
    Good("marker of text", *csv("ds,y\n2020-01-01,?\n", missing="?"), [row(MIDNIGHT, NAN)]),
    Good("marker of number", *csv("ds,y\n2020-01-01,-200.0\n", missing=-200), [row(MIDNIGHT, NAN)]),
    Good(
        "number marker beside a decimal comma",
        *csv('ds,y\n2020-01-01,"-200,0"\n', decimal=",", missing=-200),
        [row(MIDNIGHT, NAN)],
    ),
    Good(
        "marker of one column",
        *csv(
            "ds,y,z\n2020-01-01,-1,-1\n",
            missing={"y": -1},
            covariates={"past": ["z"]},
        ),
        [row(MIDNIGHT, [NAN, -1])],
    ),
    Good("infinite", *csv("ds,y\n2020-01-01,inf\n"), [row(MIDNIGHT, NAN)]),
    Good(
        "None is a label",
        *csv(
            "ds,y,w\n2020-01-01,1,None\n2020-01-02,1,Sun\n2020-01-03,1,NA\n2020-01-04,1,None\n",
            covariates={"past": ["w"]},
            categories=["w"],
        ),
        [
            row(MIDNIGHT, [1, 0]),
            row("2020-01-02T00:00", [1, 1]),
            row("2020-01-03T00:00", [1, NAN]),
            row("2020-01-04T00:00", [1, 0]),
        ],
    ),
    Good("ISO with T and Z", *csv("ds,y\n2020-01-01T00:00:00Z,1\n", **BERLIN), ONE),
    Good("ISO with offset", *csv("ds,y\n2020-01-01T01:00:00+01:00,1\n"), ONE),
    Good("offset without colon", *csv("ds,y\n2020-01-01T01:00:00+0100,1\n"), ONE),
    Good("offsets of both seasons", *csv(
        "ds,y\n2020-10-25T02:30:00+02:00,1\n2020-10-25T02:30:00+01:00,2\n", **BERLIN),
        [row("2020-10-25T00:30", 1), row("2020-10-25T01:30", 2)]),
    Good("some with offset", *csv(
        "ds,y\n2020-01-01T01:00:00+01:00,1\n2020-01-01T02:00:00,2\n", **BERLIN),
        [row(MIDNIGHT, 1), row("2020-01-01T01:00", 2)]),
    Good("minutes only", *csv("ds,y\n2020-01-01 00:00,1\n"), ONE),
    Good("fractions", *csv("ds,y\n2020-01-01 00:00:00.000,1\n"), ONE),
    Good("dates", *csv("ds,y\n2020-01-01,1\n"), ONE),
    Good("a format", *csv(
        "ds,y\n31/01/2020 06.30,1\n", timestamp_format="%d/%m/%Y %H.%M"),
        [row("2020-01-31T06:30", 1)]),
    Good("a format without zeros", *csv("ds,y\n1/2/2020,1\n", timestamp_format="%d/%m/%Y"),
        [row("2020-02-01T00:00", 1)]),
    Good("am and pm", *csv(
        "ds,y\n01/31/2020 06:30 PM,1\n", timestamp_format="%m/%d/%Y %I:%M %p"),
        [row("2020-01-31T18:30", 1)]),
    Good("a format with offset", *csv(
        "ds,y\n2020-01-01 01:00 +0100,1\n", timestamp_format="%Y-%m-%d %H:%M %z"), ONE),
    Good("fractions by format", *csv(
        "ds,y\n20200101 000000.0,1\n", timestamp_format="%Y%m%d %H%M%S.%f"), ONE),
    Good("date and time", *csv(
        "d,t,y\n16/12/2006,17:24:00,1\n", timestamp=["d", "t"],
        timestamp_format="%d/%m/%Y %H:%M:%S"), [row("2006-12-16T17:24", 1)]),
    Good("time and date", *csv(
        "d,t,y\n16/12/2006,17:24:00,1\n", timestamp=["t", "d"],
        timestamp_format="%H:%M:%S %d/%m/%Y"), [row("2006-12-16T17:24", 1)]),
    Good("year, month, day, hour", *csv(
        "a,b,c,d,y\n2013,3,1,5,1\n", timestamp=["a", "b", "c", "d"],
        timestamp_format="%Y %m %d %H"), [row("2013-03-01T05:00", 1)]),
    Good("ISO date and time", *csv("d,t,y\n2020-01-01,00:00,1\n", timestamp=["d", "t"]), ONE),
    Good("epoch seconds", *csv("ds,y\n1577836800,1\n", timestamp_format="epoch_s"), ONE),
    Good("epoch seconds, fraction", *csv("ds,y\n1577836800.0,1\n", timestamp_format="epoch_s"), ONE),
    Good("epoch milliseconds", *csv("ds,y\n1577836800000,1\n", timestamp_format="epoch_ms"), ONE),
    Good("local winter", *csv("ds,y\n2020-01-01 01:00,1\n", **BERLIN), ONE),
    Good("23-hour day", *csv("ds,y\n2020-03-29 01:00,1\n2020-03-29 03:00,2\n", **BERLIN),
        [row("2020-03-29T00:00", 1), row("2020-03-29T01:00", 2)]),
    Good("25-hour day by order", *csv(
        "ds,y\n2020-10-25 01:00,1\n2020-10-25 02:00,2\n2020-10-25 02:00,3\n2020-10-25 03:00,4\n",
        **BERLIN),
        [row("2020-10-24T23:00", 1), row("2020-10-25T00:00", 2), row("2020-10-25T01:00", 3),
         row("2020-10-25T02:00", 4)]),
    Good("25-hour day in half hours", *csv(
        "ds,y\n2020-10-25 02:00,1\n2020-10-25 02:30,2\n2020-10-25 02:00,3\n2020-10-25 02:30,4\n",
        **BERLIN),
        [row("2020-10-25T00:00", 1), row("2020-10-25T00:30", 2), row("2020-10-25T01:00", 3),
         row("2020-10-25T01:30", 4)]),
    Good("25-hour day of two series", *csv(
        "unique_id,ds,y\na,2020-10-25 02:00,1\nb,2020-10-25 02:00,2\na,2020-10-25 02:00,3\n"
        "b,2020-10-25 02:00,4\n", **BERLIN),
        [row("2020-10-25T00:00", 1, "a"), row("2020-10-25T00:00", 2, "b"),
         row("2020-10-25T01:00", 3, "a"), row("2020-10-25T01:00", 4, "b")]),
    Good("ambiguous, always second", *csv(
        "ds,y\n2020-10-25 02:00,1\n", ambiguous="second", **BERLIN),
        [row("2020-10-25T01:00", 1)]),
    Good("skipped hour shifted", *csv("ds,y\n2020-03-29 02:30,1\n", skipped="shift", **BERLIN),
        [row("2020-03-29T01:30", 1)]),
    Good("Nixtla names", *csv("unique_id,ds,y\na,2020-01-01,1\n"), [row(MIDNIGHT, 1, "a")]),
    Good("ids that are numbers", *csv("unique_id,ds,y\n007,2020-01-01,1\n"),
        [row(MIDNIGHT, 1, "007")]),
    Good("several id columns", *csv("a,b,ds,y\nx,1,2020-01-01,1\n", series=["a", "b"]),
        [row(MIDNIGHT, 1, "x/1")]),
    Good("quoted id with a comma", *csv('unique_id,ds,y\n"a,b",2020-01-01,1\n'),
        [row(MIDNIGHT, 1, "a,b")]),
    Good("id from the file name", {"PRSA_Dongsi_2013.csv": PLAIN.encode()},
        {"series_from": {"file_name": r"PRSA_(\w+)_\d+"}},
        [("Dongsi", *one[1:]) for one in PLAIN_ROWS]),
    Good("id from the preamble", *csv(
        "Station: Dongsi (7)\nds,y\n2020-01-01,1\n", skip_rows=1,
        series_from={"preamble": r"Station: (\w+)"}), [row(MIDNIGHT, 1, "Dongsi")]),
    Good("a column a series", *csv(
        "ds,a,b\n2020-01-01,1,2\n2020-01-02,3,\n", layout="wide_columns"),
        [row(MIDNIGHT, 1, "a"), row("2020-01-02T00:00", 3, "a"), row(MIDNIGHT, 2, "b"),
         row("2020-01-02T00:00", NAN, "b")]),
    Good("some columns as series", *csv(
        "ds,a,b,note\n2020-01-01,1,2,x\n", layout="wide_columns", series=["b"]),
        [row(MIDNIGHT, 2, "b")]),
    Good("a row a series", *csv(
        "id,V2,V3,V4\nH1,1,,3\nH2,4,,\n", layout="wide_rows", start="2020-01-01"),
        [row(MIDNIGHT, 1, "H1"), row("2020-01-01T01:00", NAN, "H1"),
         row("2020-01-01T02:00", 3, "H1"), row(MIDNIGHT, 4, "H2")]),
    Good("two files in a folder", {"d/a.csv": PLAIN.encode(), "d/b.csv": b"y,ds\n3,2020-01-01 02:00\n"},
        {"source": "d"}, [*PLAIN_ROWS, row("2020-01-01T02:00", 3)]),
    Good("hidden files left out", {"d/a.csv": PLAIN.encode(), "d/.b.csv": b"x", "d/_SUCCESS.csv": b"x"},
        {"source": "d"}, PLAIN_ROWS),
    Good("a glob", {"a1.csv": PLAIN.encode(), "b.csv": b"x"}, {"source": "a*.csv"}, PLAIN_ROWS),
    Good("a list", {"a.csv": PLAIN.encode(), "b.csv": b"ds,y\n2020-01-02,9\n"},
        {"source": ["b.csv", "a.csv"]}, [row("2020-01-02T00:00", 9), *PLAIN_ROWS]),
    Good("the same file twice is read once", {"a.csv": PLAIN.encode()},
        {"source": ["a.csv", "a.csv"]}, PLAIN_ROWS),
    Good("parquet", {"t.parquet": parquet(ds=STAMPS, y=[1, 2])}, {},
        [row("1970-01-01T00:00", 1), row("1970-01-01T01:00", 2)]),
    Good("parquet with a zone", {"t.parquet": parquet(
        ds=STAMPS.cast(pa.timestamp("ms", "Europe/Berlin")), y=[1.0, None])}, BERLIN,
        [row("1970-01-01T00:00", 1), row("1970-01-01T01:00", NAN)]),
    Good("parquet with local stamps", {"t.parquet": parquet(ds=STAMPS, y=[1, 2])},
        {"timezone": "Asia/Kolkata"},
        [row("1969-12-31T18:30", 1), row("1969-12-31T19:30", 2)]),
    Good("parquet with texts", {"t.parquet": parquet(ds=["2020-01-01"], y=["1"])}, {}, ONE),
    Good("parquet with dictionaries and decimals", {"t.parquet": parquet(
        ds=["2020-01-01"], unique_id=pa.array(["a"]).dictionary_encode(),
        y=pa.array([1]).cast(pa.decimal128(30, 2)))}, {}, [row(MIDNIGHT, 1, "a")]),
    Good("parquet with dates and truths", {"t.parquet": parquet(
        ds=pa.array([0], pa.date32()), y=[True])}, {}, [row("1970-01-01T00:00", 1)]),
    Good("parquet with epochs and number ids", {"t.parquet": parquet(
        ds=[1577836800], unique_id=[7], y=[1])}, {"timestamp_format": "epoch_s"},
        [row(MIDNIGHT, 1, "7")]),
    Good("partitioned folders", {"p/unique_id=b/x.parquet": parquet(ds=["2020-01-01"], y=[2]),
        "p/unique_id=a/x.parquet": parquet(ds=["2020-01-01"], y=[1])}, {"source": "p"},
        [row(MIDNIGHT, 1, "a"), row(MIDNIGHT, 2, "b")]),
    Good("rows dropped", *csv(
        "ds,y\n2020-01-01,1\n2020-01-02,1,9\n,5\nx,5\n2020-01-03,3\n", bad_rows="drop"),
        [*ONE, row("2020-01-03T00:00", 3)], rejected=3),
]  # fmt: skip


BAD = [
    Bad("empty file", *csv(b""), ["t.csv", "empty"]),
    Bad("blank file", *csv(b"\n \n"), ["t.csv", "no text"]),
    Bad("only a header", *csv("ds,y\n"), ["t.csv", "no row"]),
    Bad("no such file", {}, {}, ["t.csv", "no such file", "data.source"]),
    Bad("nearly the name", {"tt.csv": b"x"}, {}, ["did you mean", "tt.csv"]),
    Bad("no such pattern", {}, {"source": "*.csv"}, ["no file matches"]),
    Bad("empty folder", {"d/readme.md": b"x"}, {"source": "d"}, ["no table in this folder"]),
    Bad("no such sample", {}, {"source": "sample:mars"}, ["nyc-weather"]),
    Bad("cut gz", {"t.csv": gzip.compress(PLAIN.encode())[:-12]}, {}, ["t.csv", "cut short"]),
    Bad("cut xz", {"t.csv": lzma.compress(PLAIN.encode())[:-12]}, {}, ["t.csv", "cut short"]),
    Bad("cut parquet", {"t.csv": parquet(ds=["2020-01-01"], y=[1])[:-9]}, {}, ["t.csv", "Parquet"]),
    Bad("zip of two", {"t.csv": zipped(a_csv=PLAIN, b_csv=PLAIN)}, {}, ["2 files", "a.csv"]),
    Bad("csv stated parquet", *csv(PLAIN, format="parquet"), ["not a Parquet file", "data.format"]),
    Bad("parquet stated csv", {"t.csv": parquet(ds=["x"])}, {"format": "csv"}, ["data.format"]),
    Bad("no such column", *csv("ds,Y\n2020-01-01,1\n"), ["no column 'y'", "did you mean 'Y'"]),
    Bad("wrong separator", *csv("ds;y\n2020-01-01;1\n"), ["data.csv.separator", "';'"]),
    Bad("column twice", *csv("ds,y,y\n2020-01-01,1,2\n"), ["'y' occurs 2 times"]),
    Bad("text", *csv("ds,y\n2020-01-01,1\n2020-01-02,off\n2020-01-03,off\n"),
        ["line 3", "'y'", "'off'", "2 in this file", "data.missing"]),
    Bad("None is no number", *csv("ds,y\n2020-01-01,None\n"), ["'None'", "data.missing"]),
    Bad("decimal comma unstated", *csv('ds,y\n2020-01-01,"1,5"\n'), ["'1,5'", "line 2"]),
    Bad("decimal point where a comma is stated", *csv("ds;y\n2020-01-01;1.5\n", **GERMAN), ["'1.5'"]),
    Bad("thousands in the wrong place", *csv(
        "ds;y\n2020-01-01;1.23.456,5\n", **GERMAN, thousands="."), ["'1.23.456,5'"]),
    Bad("underscore in a number", *csv("ds,y\n2020-01-01,1_000\n"), ["'1_000'"]),
    Bad("hexadecimal", *csv("ds,y\n2020-01-01,0x10\n"), ["'0x10'"]),
    Bad("number with unit", *csv("ds,y\n2020-01-01,5 kW\n"), ["'5 kW'"]),
    Bad("two columns of text", *csv(
        "ds,y,z\n2020-01-01,a,b\n", covariates={"past": ["z"]}), ["'y'", "'z'"]),
    Bad("text in a parquet number", {"t.csv": parquet(ds=["2020-01-01"], y=["off"])}, {},
        ["row 1", "'off'"]),
    Bad("lists in a parquet number", {"t.csv": parquet(ds=["2020-01-01"], y=[[1]])}, {}, ["'y'"]),
    Bad("no time", *csv("ds,y\nsoon,1\n"), ["line 2", "'soon'", "data.timestamp_format"]),
    Bad("day first without a format", *csv("ds,y\n31/01/2020,1\n"), ["'31/01/2020'"]),
    Bad("thirty-first of February", *csv(
        "ds,y\n31/02/2020,1\n", timestamp_format="%d/%m/%Y"), ["'31/02/2020'", "%d/%m/%Y"]),
    Bad("month 13", *csv("ds,y\n2020-13-01,1\n"), ["'2020-13-01'"]),
    Bad("hour 25 in a second column", *csv(
        "d,t,y\n16/12/2006,25:00:00,1\n", timestamp=["d", "t"],
        timestamp_format="%d/%m/%Y %H:%M:%S"), ["16/12/2006 25:00:00"]),
    Bad("numbers as times", *csv("ds,y\n1577836800,1\n"), ["epoch_s"]),
    Bad("epoch far away", *csv("ds,y\n1577836800000000000,1\n", timestamp_format="epoch_s"),
        ["1577836800000000000"]),
    Bad("value without a time", *csv("ds,y\n,1\n"), ["no time", "data.bad_rows"]),
    Bad("value without an id", *csv("unique_id,ds,y\n,2020-01-01,1\n"), ["no series id"]),
    Bad("too few values", *csv("ds,y,z\n2020-01-01,1,1\n2020-01-02,1\n"),
        ["line 3", "2 values where the header has 3", "data.bad_rows"]),
    Bad("too many values", *csv("ds,y\n2020-01-01,1\n2020-01-02,1,5\n"), ["line 3", "3 values"]),
    Bad("latin-1 unstated", *csv("ds,w,y\n2020-01-01,süd,1\n".encode("latin-1"),
        covariates={"past": ["w"]}, categories=["w"]), ["t.csv", "data.csv.encoding"]),
    Bad("no such encoding", *csv(b"ds,y\n", encoding="latin-99"), ["latin-99"], ConfigError),
    Bad("not utf-16", *csv(PLAIN.encode()[:-1], encoding="utf-16-le"), ["t.csv"]),
    Bad("open quotation mark", *csv('ds,y\n2020-01-01,"1\n2020-01-02,2\n'), ["t.csv", "line 2"]),
    Bad("more lines to skip than there are", *csv(PLAIN, skip_rows=9), ["csv.skip_rows"]),
    Bad("repeated hour refused", *csv(
        "ds,y\n2020-10-25 02:30,1\n", ambiguous="refuse", **BERLIN),
        ["line 2", "twice", "data.ambiguous"]),
    Bad("skipped hour refused", *csv("ds,y\n2020-03-29 02:30,1\n", **BERLIN),
        ["line 2", "leaves out", "data.timezone", "data.skipped"]),
    Bad("file name without an id", {"t.csv": PLAIN.encode()},
        {"series_from": {"file_name": r"PRSA_(\w+)"}}, ["t.csv", "data.series_from.file_name"]),
    Bad("preamble not skipped", *csv(PLAIN, series_from={"preamble": "x(.)"}), ["csv.skip_rows"]),
    Bad("pattern that is none", *csv(PLAIN, series_from={"file_name": "("}),
        ["data.series_from.file_name"], ConfigError),
    Bad("wide with a covariate", *csv("ds,a\n2020-01-01,1\n", layout="wide_columns",
        covariates={"past": ["b"]}), ["wide_columns"], ConfigError),
    Bad("text in a wide column", *csv("ds,a,b\n2020-01-01,1,x\n", layout="wide_columns"),
        ["'b'", "'x'"]),
    Bad("wide rows without an id", *csv("id,V2\n,1\n", layout="wide_rows"), ["no series id"]),
    Bad("wide rows with a bad start", *csv("id,V2\na,1\n", layout="wide_rows", start="soon"),
        ["data.start"], ConfigError),
    Bad("unknown protocol", {}, {"source": "nosuch://x/y.csv"}, ["nosuch://x/y.csv"]),
]  # fmt: skip


def write(folder, files):
    """Write the files of a case."""
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)


def settings_of(case):
    """Return the data section of a case: its only file is the source unless it says more."""
    source = next(iter(case.files), "t.csv") if len(case.files) == 1 else "t.csv"
    if isinstance(case, Bad):
        source = "t.csv"
    return Data(**({"source": source, "frequency": "1h"} | case.settings))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_odd_table_is_read(case, tmp_path):
    write(tmp_path, case.files)
    reader = read_tables(settings_of(case))
    found, rejected = [], 0
    for chunk in reader:
        rejected += chunk.rejected
        for series, time, values in zip(chunk.series, chunk.time, chunk.values, strict=True):
            stamp = str(np.datetime64(int(time), "ns").astype("datetime64[m]"))
            cells = [None if np.isnan(value) else float(value) for value in values]
            name = reader.series_ids.names[series]
            found.append((name, stamp, cells[0] if len(cells) == 1 else cells))
    assert found == case.rows
    assert rejected == case.rejected


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_table_is_refused_with_words(case, tmp_path):
    write(tmp_path, case.files)
    with pytest.raises(case.kind) as raised:
        for _ in read_tables(settings_of(case)):
            pass
    for word in case.words:
        assert word in str(raised.value)
