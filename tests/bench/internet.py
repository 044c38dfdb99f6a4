"""internet.py -- healthy destinations beside slow, greylisting, limiting, dead and broken ones: the
simulated Internet of tests/internet, once as it is and once with nobody but healthy hosts.
`./dev bench internet [MESSAGES]`. Draws what the hosts saw to internet.svg in the build's
folder. Nothing is asserted: 95 % is what is asked."""
import collections
import os
import sys
import time
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [TESTS, os.path.join(TESTS, "internet")]
from world import Internet, SETS, UNREACHABLE, instance, send_all

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
PLOT = os.path.join(os.environ["TOP_BUILDDIR"], "internet.svg")
WIDTH, HEIGHT, LEFT, GAP = 640, 40, 120, 22


def measure(all_healthy):
    """Messages a second to the sets that are healthy in both worlds, and what all hosts saw."""
    with Internet(1000, all_healthy) as net, instance(net) as mta:
        mta.start()
        reachable = sum(all_healthy or net.kind(i) not in UNREACHABLE for i in range(MESSAGES))
        send_all(mta, net, MESSAGES)
        while (taken := net.taken()) < reachable:
            print(f"\r{taken} of {reachable} delivered", end="", file=sys.stderr)
            time.sleep(1)
        seen = net.report()
    healthy = [at for events in seen["healthy"].events[:SETS["healthy"]] for at, _ in events]
    return len(healthy) / (max(healthy) - min(healthy)), seen


def points(times, begin, scale_x, scale_y, bottom):
    """A line through how many there were in each second."""
    each = collections.Counter(int(at - begin) for at in times)
    return " ".join(f"{LEFT + s * scale_x:.1f},{bottom - each[s] * scale_y:.1f}"
                    for s in range(max(each, default=0) + 2))


def plot(seen):
    """Of each kind a panel: taken and refused in each second, to the scale of its own most."""
    kinds = {kind: s for kind, s in seen.items() if any(s.events)}
    everything = [at for s in kinds.values() for events in s.events for at, _ in events]
    begin, seconds = min(everything), max(everything) - min(everything)
    height = (HEIGHT + GAP) * len(kinds) + GAP
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" '
             f'height="{height}" font-family="sans-serif" font-size="12">']
    for number, (kind, s) in enumerate(kinds.items()):
        bottom = (HEIGHT + GAP) * (number + 1)
        times = {what: [at for events in s.events for at, w in events if w == what]
                 for what in ("taken", "refused")}
        most = max(max(collections.Counter(int(at - begin) for at in t).values(), default=0)
                   for t in times.values())
        lines.append(f'<text x="4" y="{bottom - HEIGHT / 2}">{kind}</text>'
                     f'<text x="4" y="{bottom - HEIGHT / 2 + 14}" fill="gray">most {most}/s</text>'
                     f'<path d="M{LEFT} {bottom}h{WIDTH}" stroke="lightgray"/>')
        for what, colour in (("taken", "seagreen"), ("refused", "firebrick")):
            if times[what]:
                lines.append(f'<polyline fill="none" stroke="{colour}" points="' + points(
                    times[what], begin, WIDTH / (seconds + 1), HEIGHT / most, bottom) + '"/>')
    lines.append(f'<text x="{LEFT}" y="{height - 4}">0 s</text><text x="{LEFT + WIDTH}" '
                 f'y="{height - 4}" text-anchor="end">{seconds:.0f} s; green: taken, red: put off, '
                 'in each second</text></svg>')
    with open(PLOT, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def main():
    alone, _ = measure(True)
    beside, seen = measure(False)
    print(f"\rhealthy destinations beside bad ones: {beside:.0f}/s; in a world without: "
          f"{alone:.0f}/s; {beside / alone:.0%} (>= 95% is asked)")
    for kind, s in seen.items():
        refused = sum(what == "refused" for events in s.events for _, what in events)
        print(f"{kind}\t{s.taken.total()} taken\t{refused} put off\t"
              f"at most {max(s.most_connections)} connections to a set")
    plot(seen)
    print(f"what they saw: {PLOT}")


main()
