"""Small cut-outs with the faults of the real sets, under the configs of those sets."""

import gzip
import lzma

import numpy as np
import pytest

from tests.real.sets import counts, findings_of, message


def hours(first, count, step="1h"):
    """Return stamps."""
    size = {"1h": 3600, "10min": 600, "1min": 60}[step]
    return np.datetime64(first, "s") + np.arange(count) * np.timedelta64(size, "s")


def text(stamp):
    """Return a stamp as the files write it."""
    return str(stamp).replace("T", " ")


def write(folder, name, content):
    """Write a file, compressed as its name says."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content if isinstance(content, bytes) else content.encode()
    if name.endswith(".gz"):
        raw = gzip.compress(raw)
    elif name.endswith(".xz"):
        raw = lzma.compress(raw)
    path.write_bytes(raw)


def wave(row, period=24.0):
    """Return a smooth value."""
    return round(10 + 5 * np.sin(row * 2 * np.pi / period) + row % 7 / 10, 3)


def test_jena_sentinels_duplicate_and_gap(tmp_path):
    names = ["p (mbar)", "T (degC)", "Tdew (degC)", "rh (%)", "wv (m/s)", "max. wv (m/s)"]
    names += ["wd (deg)", "rain (mm)", "max. PAR (\ufffdmol/m\ufffd/s)", "OT"]
    lines = [",".join(["date", *names])]
    for row, stamp in enumerate(hours("2020-01-01T00:10", 600, "10min")):
        cells = [str(wave(row + shift)) for shift in range(10)]
        if row in (5, 6, 7):
            cells[9] = "-9999.0"
        if row in (6, 8):
            cells[8] = "-9999.0"
        if row == 6:
            cells[4] = "-9999.0"
        if not 300 <= row < 309:
            lines.append(",".join([text(stamp), *cells]))
        if row == 100:
            lines.append(lines[-1])
    write(tmp_path, "jena_weather_2020/weather.csv.gz", "\r\n".join(lines) + "\r\n")
    findings, panel = findings_of("weather-jena", tmp_path)
    found = counts(findings)
    assert found["marker", "OT"] == 3
    assert found["marker", "max. PAR (\ufffdmol/m\ufffd/s)"] == 2
    assert found["marker", "wv (m/s)"] == 1
    assert found["duplicates_equal", ""] == 1
    assert "9 steps have no row, in 1 gap" in message(findings, "gaps")
    assert panel.account | {"read": 592, "kept": 591, "aggregated": 1} == panel.account


@pytest.mark.parametrize("blanks", [[(50, 3), (200, 40)]])
def test_household_marks_and_runs(tmp_path, blanks):
    names = "Date,Time,Global_active_power,Global_reactive_power,Voltage,Global_intensity"
    lines = [names + ",Sub_metering_1,Sub_metering_2,Sub_metering_3"]
    for row, stamp in enumerate(hours("2006-12-16T17:24", 2000, "1min")):
        date, time = str(stamp).split("T")
        year, month, day = date.split("-")
        cells = [f"{wave(row + shift):.3f}" for shift in range(7)]
        if any(first <= row < first + length for first, length in blanks):
            cells = ["?"] * 6 + [""]
        lines.append(",".join([f"{int(day)}/{int(month)}/{year}", time, *cells]))
    write(
        tmp_path,
        "household_power/minute_household_power.csv.xz",
        "\r\n".join(lines) + "\r\n",
    )
    findings, _ = findings_of("household-power", tmp_path)
    assert counts(findings)["missing", "Global_active_power"] == 43
    assert counts(findings)["missing", "Sub_metering_3"] == 43
    assert "43 steps hold no value at all, in 2 runs" in message(findings, "blank")
    assert "40 steps" in message(findings, "blank")


def test_traffic_duplicates_gap_and_impossible_values(tmp_path):
    lines = ["holiday,temp,rain_1h,snow_1h,clouds_all,weather_main,date_time,traffic_volume"]
    for row, stamp in enumerate(hours("2013-01-01", 900)):
        temp = "0.0" if row in (10, 11) else f"{280 + wave(row)}"
        rain = "9831.3" if row == 20 else f"{row % 5 / 10}"
        label = ("None", "Rain", "Clear")[row % 3]
        if not 400 <= row < 500:
            line = f"None,{temp},{rain},0.0,{row % 90},{label},{text(stamp)},{1000 + row % 24}"
            lines.append(line)
            if row % 100 == 0:
                lines.append(line)
            if row % 100 == 50:
                lines.append(line.replace(label, "Snow"))
    write(tmp_path, "metro_traffic/hourly_traffic_volume.csv", "\r\n".join(lines) + "\r\n")
    findings, panel = findings_of("metro-traffic", tmp_path)
    found = counts(findings)
    assert found["duplicates_equal", ""] == 8
    assert found["duplicates_conflict", ""] == 8
    assert "100 steps have no row, in 1 gap" in message(findings, "gaps")
    assert (found["outside_limits", "temp"], found["outside_limits", "rain_1h"]) == (2, 1)
    assert panel.categories["weather_main"] == ("None", "Rain", "Clear", "Snow")


def test_gas_sensor_markers_with_quoted_decimal_commas(tmp_path):
    sensors = "CO(GT),PT08.S1(CO),NMHC(GT),C6H6(GT),PT08.S2(NMHC),NOx(GT),PT08.S3(NOx),NO2(GT)"
    lines = [f"Date,Time,{sensors},PT08.S4(NO2),PT08.S5(O3),T,RH,AH"]
    for row, stamp in enumerate(hours("2004-03-10T18:00", 800)):
        date, time = str(stamp).split("T")
        cells = [f"{wave(row + shift):.1f}".replace(".", ",") for shift in range(13)]
        cells = [f'"{cell}"' for cell in cells]
        if row % 10 == 0:
            cells[0] = "-200"
        if row % 2 == 0:
            cells[2] = '"-200,0"'
        stamped = ["/".join(reversed(date.split("-"))), time.replace(":", ".")]
        lines.append(",".join([*stamped, *cells]))
    content = b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n").encode()
    write(tmp_path, "air_quality_uci/AirQualityUCI.csv", content)
    findings, _ = findings_of("air-quality", tmp_path)
    found = counts(findings)
    assert (found["marker", "CO(GT)"], found["marker", "NMHC(GT)"]) == (80, 400)
    assert ("marker", "T") not in found


def test_stations_in_files_with_missing_cells_and_wind_as_text(tmp_path):
    header = '"No","year","month","day","hour","PM2.5","PM10","SO2","NO2","CO","O3","TEMP"'
    header += ',"PRES","DEWP","RAIN","wd","WSPM","station"'
    for place in ("Dongsi", "Wanliu"):
        lines = [header]
        for row, stamp in enumerate(hours("2013-03-01", 400)):
            day = stamp.astype(object)
            cells = [str(wave(row + shift)) for shift in range(10)]
            if row < 7:
                cells[0] = "NA"
            wind = "NA" if row == 3 else f'"{("N", "NNE", "E")[row % 3]}"'
            when = f"{day.year},{day.month},{day.day},{day.hour}"
            lines.append(f'{row + 1},{when},{",".join(cells)},{wind},1.5,"{place}"')
        name = f"beijing_multisite/PRSA_Data_{place}_20130301-20170228.csv.gz"
        write(tmp_path, name, "\r\n".join(lines) + "\r\n")
    findings, panel = findings_of("beijing-air", tmp_path)
    found = counts(findings)
    assert (found["missing", "PM2.5"], found["missing", "wd"]) == (14, 2)
    assert panel.series_ids == ("Dongsi", "Wanliu")
    assert panel.categories == {"wd": ("N", "NNE", "E")}


def test_rows_of_two_lengths_without_stamps(tmp_path):
    lines = [",".join(f'"V{column}"' for column in range(1, 302))]
    for series, length in enumerate((300, 200, 300)):
        cells = [f'"{wave(step):.0f}"' for step in range(length)] + [""] * (300 - length)
        lines.append(",".join([f'"H{series}"', *cells]))
    write(tmp_path, "m4_hourly/Hourly-train.csv", "\n".join(lines) + "\n")
    findings, panel = findings_of("m4-hourly", tmp_path)
    assert "1 of 200 steps, 2 of 300 steps" in message(findings, "lengths")
    assert panel.account["read"] == 800
    ends = panel.start + panel.length
    assert ends.tolist() == [ends[0]] * 3


def test_regular_transformer_has_nothing_wrong_with_its_rows(tmp_path):
    lines = ["date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"]
    for row, stamp in enumerate(hours("2016-07-01", 500)):
        lines.append(",".join([text(stamp), *(str(wave(row + shift)) for shift in range(7))]))
    write(tmp_path, "ett/ETTh1.csv", "\n".join(lines) + "\n")
    codes = {code for code, _ in counts(findings_of("etth1", tmp_path)[0])}
    assert not codes & {"gaps", "missing", "duplicates_equal", "out_of_order", "blank"}


def test_bundled_sample_gaps():
    findings, _ = findings_of("nyc-weather", "nowhere")
    assert "75 steps have no row, in 45 gaps" in message(findings, "gaps")
    assert counts(findings)["outside_limits", "wind_speed"] == 1
