"""Small xlsx workbooks, written by hand: a zip of XML, as the format is."""

import io
import zipfile
from xml.sax.saxutils import escape

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="0"/>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)


def book(sheets, times=frozenset()):
    """Return a workbook of sheets (rows of cells); numbers in the columns `times` are dates."""
    out = io.BytesIO()
    names = list(sheets)
    with zipfile.ZipFile(out, "w") as archive:

        def put(path, text):
            archive.writestr(path, HEAD + text)

        put(
            "[Content_Types].xml",
            f'<Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        put("_rels/.rels", _links([(1, "officeDocument", "xl/workbook.xml")]))
        listed = "".join(
            f'<sheet name="{name}" sheetId="{place}" r:id="rId{place}"/>'
            for place, name in enumerate(names, 1)
        )
        put(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>{listed}</sheets></workbook>',
        )
        links = [
            (place, "worksheet", f"worksheets/sheet{place}.xml")
            for place in range(1, len(names) + 1)
        ]
        put(
            "xl/_rels/workbook.xml.rels", _links([*links, (len(names) + 1, "styles", "styles.xml")])
        )
        put("xl/styles.xml", STYLES)
        for place, name in enumerate(names, 1):
            put(f"xl/worksheets/sheet{place}.xml", _sheet(sheets[name], times))
    return out.getvalue()


def _links(links):
    """Return a list of relations."""
    inner = "".join(
        f'<Relationship Id="rId{place}" Type="{LINKS}/{kind}" Target="{target}"/>'
        for place, kind, target in links
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'


def _sheet(rows, times):
    """Return the XML of one sheet."""
    inner = ""
    for number, row in enumerate(rows, 1):
        cells = "".join(
            _cell(f"{chr(65 + place)}{number}", cell, is_time=chr(65 + place) in times)
            for place, cell in enumerate(row)
            if cell is not None
        )
        inner += f'<row r="{number}">{cells}</row>'
    return f'<worksheet xmlns="{MAIN}"><sheetData>{inner}</sheetData></worksheet>'


def _cell(place, cell, *, is_time):
    """Return the XML of one cell."""
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    return f'<c r="{place}"{" s=" + chr(34) + "1" + chr(34) if is_time else ""}><v>{cell}</v></c>'
