"""The plots, as SVG."""

import statistics

import matplotlib

from measure import rate

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

plt.rcParams.update({
    "font.family": "sans-serif", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "bench",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
})

STYLES = {
    "ours-epoll": ("#1b6ca8", "o", "-"), "ours-poll": ("#2a9d4e", "s", "-"),
    "ours-select": ("#d98014", "^", "-"), "cpython-poll": ("#2a9d4e", "s", ":"),
    "cpython-select": ("#d98014", "^", ":"),
}


def _save(figure, path):
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def curve(samples, servers, path):
    """Plots requests/s over the number of open connections, with a panel for each number that talks."""
    panels = list(dict.fromkeys(a for by_active in samples.values() for a in by_active))
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 4), sharex=True, squeeze=False)
    for axis, active in zip(axes[0], panels):
        for name, by_active in samples.items():
            points = {int(n): statistics.median(map(rate, figures))
                      for n, figures in by_active[active].items()}
            if not points:
                continue
            color, marker, line = STYLES.get(name, ("#777777", "x", "-"))
            axis.plot(list(points), list(points.values()), color=color, marker=marker,
                      linestyle=line, markersize=4, linewidth=1.4, label=servers[name].label)
        talk = "one talks" if active == "1" else f"at most {active} talk"
        axis.set(xscale="log", yscale="log", xlabel="open connections", title=talk)
        axis.xaxis.set_major_formatter(lambda x, _: f"{int(x):,}")
    axes[0][0].set_ylabel("requests/s")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper center", frameon=False,
                  ncol=5, bbox_to_anchor=(0.5, 1.03))
    _save(figure, path)


def bars(table, names, servers, path):
    """Plots the ratios to the bare loop in each row; `table` is row title -> server name -> quartiles."""
    shown = [name for name in names if any(name in row for row in table.values())]
    figure, axis = plt.subplots(figsize=(9, 0.24 * len(shown) * len(table) + 1))
    colors = dict(zip(shown, plt.get_cmap("tab10").colors))
    height = 0.84 / len(shown)
    for i, name in enumerate(shown):
        at = [y - 0.42 + (i + 0.5) * height for y, row in enumerate(table.values()) if name in row]
        found = [row[name] for row in table.values() if name in row]
        medians = [quartile["median"] for quartile in found]
        spread = [[quartile["median"] - quartile["low"] for quartile in found],
                  [quartile["high"] - quartile["median"] for quartile in found]]
        axis.barh(at, medians, height, color=colors[name], label=servers[name].label,
                  xerr=spread, error_kw={"elinewidth": 0.7, "ecolor": "#333333"})
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_yticks(range(len(table)), list(table))
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("requests/s, as a share of the bare loop's (bar: median, line: quartiles)")
    axis.legend(loc="upper center", bbox_to_anchor=(0.4, -0.05), ncol=4, frameon=False)
    _save(figure, path)
