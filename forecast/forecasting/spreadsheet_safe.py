"""Guards texts in CSV files that a spreadsheet would take for formulas, by an apostrophe."""

import pyarrow as pa
import pyarrow.compute as pc

SAFE = "spreadsheet_safe"  # key of the success file: ids have apostrophes before them

TEXTS = ("unique_id", "target")


def with_apostrophes(table: pa.Table) -> pa.Table:
    """Put an apostrophe before the texts that a spreadsheet would take for a formula.

    Texts that begin with one get a second, so that each can be taken off again.
    """
    for name in TEXTS:
        column = table[name]
        is_formula = pc.match_substring_regex(column, r"^['=+\-@\t\r]")
        quoted = pc.binary_join_element_wise("'", column, "")
        table = table.set_column(
            table.schema.get_field_index(name), name, pc.if_else(is_formula, quoted, column)
        )
    return table


def without_apostrophes(table: pa.Table) -> pa.Table:
    """Take off the apostrophes again."""
    for name in set(TEXTS).intersection(table.column_names):
        plain = pc.replace_substring_regex(table[name], pattern="^'", replacement="")
        table = table.set_column(table.schema.get_field_index(name), name, plain)
    return table
