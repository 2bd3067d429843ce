"""What is wrong with a table, as findings a person can act on."""

from forecast.data.checks.check import check
from forecast.data.checks.finding import Finding, as_errors, worst_first
from forecast.data.checks.survey import Survey, surveyed

__all__ = ["Finding", "Survey", "as_errors", "check", "surveyed", "worst_first"]
