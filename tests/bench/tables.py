"""Numbers and tables as Markdown."""


def number(value):
    """Three significant digits, or two below 0.1; without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{float(f'{value:.2g}'):f}".rstrip("0").rstrip(".")


def spread(quartile):
    if quartile is None:
        return "–"
    if quartile["count"] == 1:
        return number(quartile["median"])
    return f"{number(quartile['median'])} ({number(quartile['low'])}–{number(quartile['high'])})"


def table(head, rows, align=None):
    align = align or ["---"] + ["---:"] * (len(head) - 1)
    lines = [head, align, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
