"""One program that reports in prose a file: how it is recognised and where it names whom."""
