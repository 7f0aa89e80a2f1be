"""One HTML page from fits of one cohort."""

from cisgram.report.data import ReportData, gather
from cisgram.report.html import build_report, write_report

__all__ = ["ReportData", "build_report", "gather", "write_report"]
